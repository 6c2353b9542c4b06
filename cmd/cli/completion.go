package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/flotilla-sh/flotilla/cmd/view"
)

type completionCmd struct {
	Shell string   `arg:"" enum:"bash,zsh,fish" help:"Shell to complete in (bash, zsh, fish)."`
	Words []string `arg:"" optional:"" passthrough:"" hidden:""`
}

// Help says how a shell loads the script.
func (c *completionCmd) Help() string {
	return `Load it in the current shell:

  source <(flotilla completion bash)
  source <(flotilla completion zsh)
  flotilla completion fish | source`
}

const wordsMark = "--words"

// Run prints the script; the script calls back with --words and what was typed
// so far, and gets one candidate a line.
func (c *completionCmd) Run(s *session) error {
	if len(c.Words) > 0 && c.Words[0] == wordsMark {
		return view.Text(s.env.Streams.Out, strings.Join(candidates(s.parser.Model.Node, c.Words[1:]), "\n")+"\n")
	}
	return view.Text(s.env.Streams.Out, scripts(c.Shell))
}

func scripts(shell string) string {
	switch shell {
	case "bash":
		return `_flotilla() {
  local IFS=$'\n'
  COMPREPLY=($(flotilla completion bash ` + wordsMark + ` "${COMP_WORDS[@]:1:COMP_CWORD}"))
}
complete -o default -F _flotilla flotilla
`
	case "zsh":
		return `_flotilla() {
  local -a found
  found=("${(@f)$(flotilla completion zsh ` + wordsMark + ` "${(@)words[2,CURRENT]}")}")
  compadd -a found || _files
}
compdef _flotilla flotilla
`
	default:
		return `complete -c flotilla -f -a '(flotilla completion fish ` + wordsMark + ` (commandline -opc)[2..] (commandline -ct))'
`
	}
}

// candidates are the words that may stand where the last of words is being
// typed: commands, flags of the command so far, and values of an enum.
func candidates(root *kong.Node, words []string) []string {
	if len(words) == 0 {
		words = []string{""}
	}
	last := words[len(words)-1]
	node := root
	for _, w := range words[:len(words)-1] {
		for _, child := range root.Children {
			if child.Name == w || slices.Contains(child.Aliases, w) {
				node = child
			}
		}
	}
	flags := slices.Clone(root.Flags)
	if node != root {
		flags = append(flags, node.Flags...)
	}
	var all []string
	if before := words[:len(words)-1]; len(before) > 0 {
		all = enumOf(flags, before[len(before)-1])
	}
	if all == nil {
		all = wordsOf(root, node, flags, strings.HasPrefix(last, "-"))
	}
	all = slices.DeleteFunc(all, func(w string) bool { return !strings.HasPrefix(w, last) })
	slices.Sort(all)
	return slices.Compact(all)
}

func wordsOf(root, node *kong.Node, flags []*kong.Flag, typingFlag bool) []string {
	var all []string
	if typingFlag {
		for _, f := range flags {
			if !f.Hidden {
				all = append(all, "--"+f.Name)
			}
		}
		return all
	}
	if node != root {
		for _, p := range node.Positional {
			all = append(all, enumValues(p)...)
		}
		return all
	}
	for _, child := range root.Children {
		if !child.Hidden {
			all = append(all, child.Name)
		}
	}
	return all
}

// enumOf gives the values that may follow a flag, nil for anything else.
func enumOf(flags []*kong.Flag, word string) []string {
	for _, f := range flags {
		if word == "--"+f.Name || f.Short != 0 && word == fmt.Sprintf("-%c", f.Short) {
			return enumValues(f.Value)
		}
	}
	return nil
}

func enumValues(v *kong.Value) []string {
	if v.Enum == "" {
		return nil
	}
	return slices.DeleteFunc(v.EnumSlice(), func(e string) bool { return e == "" })
}
