# Completion of memtool for fish. The program itself knows the words, each with its help after a tab.
# Nothing is evaluated, no store is opened.

function __memtool_complete
    set -l words (commandline -opc)
    set -l token (commandline -ct)
    set -l program (string replace -r '^~/' "$HOME/" -- $words[1])
    set -lx _MEMTOOL_COMPLETE complete_fish
    set -lx _TYPER_COMPLETE_FISH_ACTION get-args
    set -lx _TYPER_COMPLETE_ARGS (commandline -cp)
    set -l offers ($program 2>/dev/null)
    # Of --config=/etc only what follows the = is completed.
    set -l before (string match -r -- '^--[^=]*=' $token)
    set -l rest (string replace -r -- '^--[^=]*=' '' "$token")
    switch "$offers[1]"
        case '*'\t'(files)'
            set offers (__fish_complete_path $rest)
        case '*'\t'(directories)'
            set offers (__fish_complete_directories $rest)
        case ''
            return
    end
    for offer in $offers
        echo -- "$before$offer"
    end
end

complete -c memtool -f -a '(__memtool_complete)'
