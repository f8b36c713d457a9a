# shellcheck shell=bash
# Completion of memtool for bash. The program itself knows the words; nothing is evaluated, no store is opened.

_memtool() {
  local IFS=$'\n' word typed='' words=(memtool) offers=()
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
  mapfile -t offers < <(_MEMTOOL_COMPLETE="${words[*]}" "${1/#\~\//$HOME/}" 2>/dev/null)
  case ${offers[0]-} in
    files) compopt -o default ;;
    directories) compopt -o dirnames ;;
  esac 2>/dev/null
  COMPREPLY=("${offers[@]:1}")
  COMPREPLY=("${COMPREPLY[@]%%$'\t'*}")
  COMPREPLY=("${COMPREPLY[@]#"$typed"}")
}

complete -F _memtool memtool
