# Completion of memtool for fish. The program itself knows the words; nothing is evaluated, no store is opened.

function __memtool_complete
    set -l words (commandline -opc)
    set -l token (commandline -ct)
    set -l program (string replace -r '^~/' "$HOME/" -- $words[1])
    set -lx _MEMTOOL_COMPLETE (begin
        printf '%s\n' $words
        printf %s "$token"
    end | string collect --no-trim-newlines)
    set -l offers ($program 2>/dev/null)
    switch "$offers[1]"
        case files directories
            # Of --config=/etc only what follows the = is a path.
            set -l before (string match -r -- '^--[^=]*=' $token)
            set -l complete __fish_complete_path
            test $offers[1] = directories; and set complete __fish_complete_directories
            for found in ($complete (string replace -r -- '^--[^=]*=' '' "$token"))
                echo -- "$before$found"
            end
        case words
            printf '%s\n' $offers[2..-1]
    end
end

complete -c memtool -f -a '(__memtool_complete)'
