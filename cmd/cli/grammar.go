package cli

import (
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// grammarFor makes the parser for a command line, and brings that into its one
// form. Reading the grammar of every command costs more than loading a small
// state file, so only the command that is typed is read where one word alone
// can be it. What is no such clear case, help and completion among them, gets
// the whole grammar.
func grammarFor(g *grammar, env Env, args []string, exit func(int)) (*kong.Kong, commandLine, error) {
	known := commands(g)
	if name, ok := onlyCommand(known, args); ok {
		only := kong.DynamicCommand(name, known[name].help, "", known[name].flags)
		parser, err := kong.New(&g.Globals, append(parserOptions(env, exit), only)...)
		if err != nil {
			return nil, commandLine{}, err
		}
		typed := canonical(parser.Model.Node, args)
		if len(typed.args) > 0 && typed.args[0] == name {
			return parser, typed, nil
		}
	}
	parser, err := newParser(g, env, exit)
	if err != nil {
		return nil, commandLine{}, err
	}
	return parser, canonical(parser.Model.Node, args), nil
}

// newParser makes the parser of the whole grammar.
func newParser(g *grammar, env Env, exit func(int)) (*kong.Kong, error) {
	return kong.New(g, parserOptions(env, exit)...)
}

func parserOptions(env Env, exit func(int)) []kong.Option {
	return []kong.Option{
		kong.Name("flotilla"),
		kong.Description(description),
		kong.Writers(env.Streams.Out, env.Streams.Err),
		kong.Exit(exit),
		kong.Resolvers(variables{lookup: env.Lookup}),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 120}),
	}
}

// onlyCommand finds the one word that is the name of a command. Words that may
// mean more than one are left to the whole grammar.
func onlyCommand(known map[string]simpleCommand, args []string) (string, bool) {
	found := ""
	for _, arg := range args {
		_, is := known[arg]
		switch {
		case slices.Contains([]string{"help", "completion", "--help", "-h"}, arg), is && found != "":
			return "", false
		case is:
			found = arg
		}
	}
	return found, found != ""
}

// simpleCommand is a field of the grammar: a command without commands below.
type simpleCommand struct {
	help  string
	flags any // pointer to the field
}

// commands gives the simple commands of the grammar by name.
func commands(g *grammar) map[string]simpleCommand {
	out := map[string]simpleCommand{}
	v := reflect.ValueOf(g).Elem()
	for i := range v.NumField() {
		field := v.Type().Field(i)
		above := field.Type == reflect.TypeFor[cacheCmd]() || field.Type == reflect.TypeFor[historyCmd]()
		if _, is := field.Tag.Lookup("cmd"); !is || above {
			continue
		}
		name := field.Tag.Get("name")
		if name == "" {
			name = strings.ToLower(field.Name)
		}
		out[name] = simpleCommand{help: field.Tag.Get("help"), flags: v.Field(i).Addr().Interface()}
	}
	return out
}
