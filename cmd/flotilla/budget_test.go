package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The size limits of CONTRIBUTING.md. There is no allow-list: code that does
// not fit is taken apart.
const (
	maxFunctionLines = 60
	maxParameters    = 5
	maxFileLines     = 400
)

// TestBudget holds every Go file that is not a test, those of nested modules
// included, to the size limits and to documented exported names.
func TestBudget(t *testing.T) {
	root := filepath.Join("..", "..")
	fset := token.NewFileSet()
	documented := map[string]bool{} // folder -> its package has a comment
	var broken []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return skipFolder(root, path, entry.Name())
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(fset, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		folder := filepath.Dir(path)
		documented[folder] = documented[folder] || file.Doc != nil
		broken = append(broken, overBudget(fset, file)...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(documented) < 2 {
		t.Fatalf("found Go packages in %d folders below %s: the test looks in the wrong place", len(documented), root)
	}
	for folder, ok := range documented {
		if !ok {
			broken = append(broken, folder+": the package has no package comment that tells its one job")
		}
	}
	slices.Sort(broken)
	for _, line := range broken {
		t.Error(strings.TrimPrefix(line, root+string(filepath.Separator)))
	}
}

// skipFolder leaves out what is not source of this repository.
func skipFolder(root, path, name string) error {
	if path == root {
		return nil
	}
	if strings.HasPrefix(name, ".") || name == "testdata" || name == "vendor" || path == filepath.Join(root, "bin") {
		return filepath.SkipDir
	}
	return nil
}

func overBudget(fset *token.FileSet, file *ast.File) []string {
	var broken []string
	report := func(pos token.Pos, format string, args ...any) {
		broken = append(broken, fmt.Sprintf("%s: %s", fset.Position(pos), fmt.Sprintf(format, args...)))
	}
	if n := fset.File(file.Pos()).LineCount(); n > maxFileLines {
		report(file.Package, "the file has %d lines, limit %d", n, maxFileLines)
	}
	command := file.Name.Name == "main"
	for _, decl := range file.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			checkFunction(fset, decl, report)
			if !command && exported(decl) && decl.Doc == nil {
				report(decl.Pos(), "exported %s has no doc comment", decl.Name.Name)
			}
		case *ast.GenDecl:
			if !command {
				checkDocs(decl, report)
			}
		}
	}
	ast.Inspect(file, func(node ast.Node) bool {
		if lit, ok := node.(*ast.FuncLit); ok {
			checkSize(fset, "a function literal", lit, lit.Type, report)
		}
		return true
	})
	return broken
}

type reporter func(pos token.Pos, format string, args ...any)

func checkFunction(fset *token.FileSet, decl *ast.FuncDecl, report reporter) {
	checkSize(fset, decl.Name.Name, decl, decl.Type, report)
	if !exported(decl) {
		return
	}
	for _, field := range decl.Type.Params.List {
		if kind, ok := field.Type.(*ast.Ident); ok && kind.Name == "bool" {
			report(field.Pos(), "exported %s has a bool parameter: a caller cannot be read without looking it up", decl.Name.Name)
		}
	}
}

func checkSize(fset *token.FileSet, name string, node ast.Node, kind *ast.FuncType, report reporter) {
	lines := fset.Position(node.End()).Line - fset.Position(node.Pos()).Line + 1
	if lines > maxFunctionLines {
		report(node.Pos(), "%s has %d lines, limit %d", name, lines, maxFunctionLines)
	}
	if n := kind.Params.NumFields(); n > maxParameters {
		report(node.Pos(), "%s has %d parameters, limit %d", name, n, maxParameters)
	}
}

// exported reports whether other packages can call the function: a method
// counts only when its receiver's type is exported, too.
func exported(decl *ast.FuncDecl) bool {
	if !decl.Name.IsExported() {
		return false
	}
	return decl.Recv == nil || ast.IsExported(receiver(decl.Recv.List[0].Type))
}

func receiver(expr ast.Expr) string {
	switch expr := expr.(type) {
	case *ast.StarExpr:
		return receiver(expr.X)
	case *ast.IndexExpr:
		return receiver(expr.X)
	case *ast.IndexListExpr:
		return receiver(expr.X)
	case *ast.Ident:
		return expr.Name
	default:
		return ""
	}
}

// checkDocs wants a comment on each exported type, constant and variable. A
// group's own comment serves all of its members.
func checkDocs(decl *ast.GenDecl, report reporter) {
	for _, spec := range decl.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if spec.Name.IsExported() && spec.Doc == nil && decl.Doc == nil {
				report(spec.Pos(), "exported %s has no doc comment", spec.Name.Name)
			}
		case *ast.ValueSpec:
			for _, name := range spec.Names {
				if name.IsExported() && spec.Doc == nil && spec.Comment == nil && decl.Doc == nil {
					report(name.Pos(), "exported %s has no doc comment", name.Name)
				}
			}
		}
	}
}

// TestOverBudget breaks each limit once and wants it found.
func TestOverBudget(t *testing.T) {
	tests := []struct {
		name, source string
		want         string // part of the only line; empty: nothing is wrong
	}{
		{"a small documented function", "// F does it.\nfunc F(a, b int) {}", ""},
		{"a function that is too long", "func f() {" + strings.Repeat("\n", maxFunctionLines) + "}", "f has 61 lines, limit 60"},
		{"a function literal that is too long", "var f = func() {" + strings.Repeat("\n", maxFunctionLines) + "}", "a function literal has 61 lines"},
		{"too many parameters in groups", "func f(a, b, c int, d, e, f string) {}", "f has 6 parameters, limit 5"},
		{"a file that is too long", strings.Repeat("//\n", maxFileLines), "the file has 401 lines, limit 400"},
		{"a bool parameter of an exported function", "// F does it.\nfunc F(ok bool) {}", "exported F has a bool parameter"},
		{"a bool parameter of a function of the package", "func f(ok bool) {}", ""},
		{"an exported method without a comment", "// T is one.\ntype T[K any] struct{}\nfunc (t *T[K]) M() {}", "exported M has no doc comment"},
		{"an exported method of a type of the package", "type t struct{}\nfunc (t) M() {}", ""},
		{"an exported type without a comment", "type T int", "exported T has no doc comment"},
		{"an exported constant without a comment", "const C = 1", "exported C has no doc comment"},
		{"constants that share their group's comment", "// The numbers.\nconst (\n\tA = 1\n\tB = 2\n)", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fset := token.NewFileSet()
			file, err := parser.ParseFile(fset, "x.go", "package x\n"+tt.source, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			got := overBudget(fset, file)
			switch {
			case tt.want == "" && len(got) > 0:
				t.Errorf("found %q, want nothing", got)
			case tt.want != "" && (len(got) != 1 || !strings.Contains(got[0], tt.want)):
				t.Errorf("found %q, want one line with %q", got, tt.want)
			}
		})
	}
}
