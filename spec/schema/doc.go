// Package schema is the written form of a state file: it reads YAML text into
// structs that mirror the keys of helmfile, strictly, and tells every mistake
// with its place. It also holds the rules by which parts, bases and templates
// of such structs merge. It knows nothing of what the keys do.
package schema
