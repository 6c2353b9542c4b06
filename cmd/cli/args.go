package cli

import (
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
)

// commandLine is what was typed, brought into the one form that the grammar
// reads: the command first, then every flag as --name=value, then the words.
type commandLine struct {
	args  []string
	given map[string]bool // long names of the flags that were typed
	extra []string        // words that the command has no use for
}

// canonical reads args as pflag does, so that what helmfile takes is taken
// here: flags before and after the command, -nns, -n=ns, -qi, a value that
// begins with a dash. helmfile ignores words after a command; commands that
// change a cluster refuse them here, for "destroy web" does not mean all.
func canonical(root *kong.Node, args []string) commandLine {
	c := &scanner{flags: flagsBelow(root), line: commandLine{given: map[string]bool{}}}
	node := c.scan(root, args)
	if node == root {
		return c.withoutCommand(root)
	}
	if below := node.DefaultCmd; below != nil && len(c.words) == 0 && !c.asksForHelp() {
		node, c.command = below, append(c.command, below.Name)
	}
	if slices.ContainsFunc(node.Positional, func(p *kong.Positional) bool { return p.Passthrough }) {
		return commandLine{args: args, given: c.line.given}
	}
	words, flags := c.words, c.spelled(node)
	if len(node.Children) > 0 && len(words) == 0 {
		flags = append(flags, "--help")
	}
	if len(node.Positional) == 0 && !slices.Contains([]string{"apply", "sync", "destroy"}, node.Name) {
		c.line.extra, words = words, nil
	}
	c.line.args = append(c.command, joined(flags, words)...)
	return c.line
}

func (c *scanner) asksForHelp() bool {
	return slices.ContainsFunc(c.typed, func(t typedFlag) bool { return t.name == "--help" || t.name == "-h" })
}

// withoutCommand knows what is no part of the grammar: help as a command, the
// version as a flag, and nothing at all, which prints the help.
func (c *scanner) withoutCommand(root *kong.Node) commandLine {
	flags := c.spelled(root)
	switch {
	case len(c.words) == 0 && len(flags) == 0:
		c.line.args = []string{"--help"}
	case len(c.words) > 0 && c.words[0] == "help":
		c.line.args = append(c.words[1:], "--help")
	case len(c.words) == 0 && (slices.Contains(flags, "--version") || slices.Contains(flags, "-v")):
		c.line.args = []string{"version"}
	default:
		c.line.args = joined(flags, c.words)
	}
	return c.line
}

// joined puts words where no flag is read out of one, as of those that came
// after --, and where a last flag without its value does not take one for it.
func joined(flags, words []string) []string {
	if slices.ContainsFunc(words, func(w string) bool { return len(w) > 1 && w[0] == '-' }) {
		return slices.Concat(flags, []string{"--"}, words)
	}
	return slices.Concat(words, flags)
}

// flagsBelow gives every flag of the grammar under each of its names. Flags
// that share a name over several commands agree on whether they take a value.
func flagsBelow(root *kong.Node) map[string]*kong.Flag {
	flags := map[string]*kong.Flag{}
	var walk func(n *kong.Node)
	walk = func(n *kong.Node) {
		for _, f := range n.Flags {
			flags["--"+f.Name] = f
			if f.Tag.Negatable != "" {
				flags["--no-"+f.Name] = f
			}
			if f.Short != 0 && flags["-"+string(f.Short)] == nil {
				flags["-"+string(f.Short)] = f
			}
		}
		for _, child := range n.Children {
			walk(child)
		}
	}
	walk(root)
	return flags
}

type scanner struct {
	flags   map[string]*kong.Flag
	line    commandLine
	command []string
	typed   []typedFlag
	words   []string
}

// typedFlag is one flag as it was typed, its value apart.
type typedFlag struct {
	name     string // with its dashes
	value    string
	hasValue bool
}

// spelled writes the flags for the grammar: by their long names, which differ
// between commands for some letters.
func (c *scanner) spelled(node *kong.Node) []string {
	own := map[string]*kong.Flag{}
	for n := node; n != nil; n = n.Parent {
		for _, f := range n.Flags {
			if f.Short != 0 && own["-"+string(f.Short)] == nil {
				own["-"+string(f.Short)] = f
			}
		}
	}
	var all []string
	for _, t := range c.typed {
		f := c.flags[t.name]
		if other := own[t.name]; other != nil {
			f = other
		}
		if f == nil {
			all = append(all, t.text())
			continue
		}
		c.line.given[f.Name] = true
		if len(t.name) == 2 {
			t.name = "--" + f.Name
		}
		if on, err := strconv.ParseBool(t.value); err == nil && t.hasValue && f.IsBool() {
			t.value = strconv.FormatBool(on) // pflag also takes 1, t, T and so on
		}
		all = append(all, t.text())
	}
	return all
}

func (t typedFlag) text() string {
	if t.hasValue {
		return t.name + "=" + t.value
	}
	return t.name
}

// scan sorts args into command, flags and words, and gives the command's node.
func (c *scanner) scan(node *kong.Node, args []string) *kong.Node {
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch {
		case arg == "--":
			c.words = append(c.words, args...)
			return node
		case strings.HasPrefix(arg, "--"):
			name, value, has := strings.Cut(arg, "=")
			args = c.add(typedFlag{name, value, has}, args)
		case len(arg) > 1 && arg[0] == '-':
			args = c.letters(arg[1:], args)
		default:
			child := childOf(node, arg)
			if child == nil || len(c.words) > 0 {
				c.words = append(c.words, arg)
				continue
			}
			node = child
			c.command = append(c.command, arg)
		}
	}
	return node
}

func childOf(node *kong.Node, name string) *kong.Node {
	for _, child := range node.Children {
		if child.Name == name || slices.Contains(child.Aliases, name) {
			return child
		}
	}
	return nil
}

// add takes a flag and, if it needs a value and has none, the next of the
// others, whatever that looks like; it gives the others that are left.
func (c *scanner) add(t typedFlag, others []string) []string {
	f := c.flags[t.name]
	if f != nil && !f.IsBool() && !t.hasValue && len(others) > 0 {
		t.value, t.hasValue, others = others[0], true, others[1:]
	}
	c.typed = append(c.typed, t)
	return others
}

// letters reads what follows a single dash: flags without a value, of which the
// last may have one.
func (c *scanner) letters(letters string, others []string) []string {
	for letters != "" {
		name, after := "-"+letters[:1], letters[1:]
		f := c.flags[name]
		value, has := strings.CutPrefix(after, "=")
		switch {
		case f == nil && letters[0] == '-': // as in -q-, which must not become the end of flags
			c.typed = append(c.typed, typedFlag{name: "--" + letters})
			return others
		case f == nil:
			c.typed = append(c.typed, typedFlag{name: "-" + letters})
			return others
		case has, after != "" && !f.IsBool():
			return c.add(typedFlag{name, value, true}, others)
		case after == "":
			return c.add(typedFlag{name: name}, others)
		}
		c.typed = append(c.typed, typedFlag{name: name})
		letters = after
	}
	return others
}
