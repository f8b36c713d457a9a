# shellcheck shell=bash
# Completion of memtool for bash. The program itself knows the words: it is asked as typer asks it for fish, which gives
# a word a line with its help after a tab. Nothing is evaluated, no store is opened.

_memtool() {
  local IFS=' ' word='' typed='' words=(memtool) offers=()
  # bash cuts words at : and = where the program wants them whole: --since=last-week
  for word in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
    if [[ $typed && ($word == [:=] || $typed == *[:=]) ]]; then
      words[-1]+=$word
    else
      words+=("$word")
    fi
    typed=$word
  done
  if [[ $word == [:=] ]]; then word=''; fi
  typed=${words[-1]%"$word"} # what bash takes for words before this one
  mapfile -t offers < <(
    _MEMTOOL_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args \
      _TYPER_COMPLETE_ARGS=${words[*]} "${1/#\~\//$HOME/}" 2>/dev/null
  )
  COMPREPLY=()
  case ${offers[0]-} in
    *$'\t(files)') compopt -o default ;;
    *$'\t(directories)') compopt -o dirnames ;;
    ?*)
      COMPREPLY=("${offers[@]%%$'\t'*}")
      COMPREPLY=("${COMPREPLY[@]#"$typed"}")
      ;;
  esac 2>/dev/null
}

complete -F _memtool memtool
