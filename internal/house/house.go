// Package house holds the rules of what may depend on what in this repository:
// which modules the core requires, which package imports which, how the nested
// modules hang together. Its test applies them to the repository and names
// each file and import that breaks one.
package house

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Module is the path of the core module.
const Module = "github.com/cxkit/cxkit"

// dependency is a module that core code may import.
type dependency struct {
	module string
	in     func(file source, path string) bool // who may; nil for all
	rule   string                              // why others may not
}

var direct = []dependency{
	{module: "github.com/RoaringBitmap/roaring/v2"},
	{module: "github.com/google/uuid"},
	{
		"golang.org/x/exp", func(_ source, p string) bool { return p == "golang.org/x/exp/constraints" },
		"of golang.org/x/exp only constraints is allowed",
	},
	{
		"github.com/stretchr/testify", func(f source, _ string) bool { return f.test },
		"testify is for _test.go files",
	},
	{
		"gonum.org/v1/gonum", func(f source, _ string) bool {
			return strings.HasPrefix(f.dir, "segment/") || f.dir == "journey/analytics" || f.dir == "feedback/score"
		},
		"gonum is for the packages under segment/, journey/analytics and feedback/score",
	},
	{
		"github.com/nyaruka/phonenumbers", func(f source, _ string) bool { return f.dir == "profile/phone" },
		"phonenumbers is for profile/phone",
	},
}

// indirect are the modules that those bring with them.
var indirect = []string{
	"github.com/bits-and-blooms/bitset", "github.com/mschoch/smat", // roaring
	"github.com/davecgh/go-spew", "github.com/pmezard/go-difflib", "gopkg.in/yaml.v3", "go.yaml.in/yaml/v3", // testify
	"golang.org/x/sys", "golang.org/x/text", "google.golang.org/protobuf", // phonenumbers, testify's tools
}

// rooms are the packages of the house that know nothing of one another.
var rooms = []string{"profile", "segment", "journey", "feedback", "loyalty"}

// nested are the modules beside the core; those marked are in go.work.
var nested = map[string]bool{
	"examples": true, "internal/sqltest": true, "internal/bench": false, "internal/tools": false,
}

// Violation is a broken rule: the file, what in it offends, and the rule.
type Violation struct {
	File   string // path from the root of the repository
	What   string // the import path, the module, the directive
	Reason string
}

func (v Violation) String() string { return v.File + ": " + v.What + ": " + v.Reason }

// Check applies the rules to the repository at root, sorted by file. An error
// means that a file could not be read or parsed.
func Check(root fs.FS) ([]Violation, error) {
	c := checker{root: root}
	if err := fs.WalkDir(root, ".", c.visit); err != nil {
		return nil, err
	}
	if err := c.modules(); err != nil {
		return nil, err
	}
	for _, f := range c.sources {
		for _, imp := range f.imports {
			if why := c.forbidden(f, imp); why != "" {
				c.fail(f.path, imp, why)
			}
		}
	}
	slices.SortFunc(c.found, func(a, b Violation) int { return strings.Compare(a.String(), b.String()) })
	return c.found, nil
}

type checker struct {
	root    fs.FS
	mods    []string // directories with a go.mod
	sources []source
	found   []Violation
}

// source is a Go file.
type source struct {
	path, dir string
	test      bool // _test.go
	imports   []string
}

func (c *checker) fail(file, what, reason string) {
	c.found = append(c.found, Violation{file, what, reason})
}

func (c *checker) visit(p string, d fs.DirEntry, err error) error {
	switch {
	case err != nil:
		return err
	case d.IsDir():
		name := d.Name()
		if p != "." && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata" || name == "node_modules") {
			return fs.SkipDir
		}
		return nil
	case d.Name() == "go.mod":
		c.mods = append(c.mods, path.Dir(p))
		return nil
	case !strings.HasSuffix(p, ".go"):
		return nil
	}
	text, err := fs.ReadFile(c.root, p)
	if err != nil {
		return err
	}
	file, err := parser.ParseFile(token.NewFileSet(), p, text, parser.ImportsOnly)
	if err != nil {
		return err
	}
	s := source{path: p, dir: path.Dir(p), test: strings.HasSuffix(p, "_test.go")}
	for _, spec := range file.Imports {
		imp, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return fmt.Errorf("%s: import %s: %w", p, spec.Path.Value, err)
		}
		s.imports = append(s.imports, imp)
	}
	c.sources = append(c.sources, s)
	return nil
}

// moduleOf is the directory of the module that dir belongs to.
func (c *checker) moduleOf(dir string) string {
	for ; dir != "."; dir = path.Dir(dir) {
		if slices.Contains(c.mods, dir) {
			return dir
		}
	}
	return "."
}

// modules checks the go.mod files and go.work.
func (c *checker) modules() error {
	for _, dir := range c.mods {
		file := path.Join(dir, "go.mod")
		text, err := fs.ReadFile(c.root, file)
		if err != nil {
			return err
		}
		lines := directives(string(text))
		if dir == "." {
			c.coreModule(file, lines)
			continue
		}
		c.nestedModule(file, dir, lines)
	}
	text, err := fs.ReadFile(c.root, "go.work")
	if err != nil {
		return err
	}
	uses := map[string]bool{".": true}
	for dir, inWork := range nested {
		if inWork {
			uses["./"+dir] = true
		}
	}
	for _, d := range directives(string(text)) {
		switch d.verb {
		case "use":
			if !uses[d.args[0]] {
				c.fail("go.work", "use "+d.args[0], "go.work holds the core, examples and internal/sqltest, each once")
			}
			delete(uses, d.args[0])
		case "replace":
			c.fail("go.work", "replace "+d.args[0], "go.work replaces nothing")
		}
	}
	for dir := range uses {
		c.fail("go.work", "use "+dir, "is missing")
	}
	return nil
}

func (c *checker) coreModule(file string, lines []directive) {
	for _, d := range lines {
		switch d.verb {
		case "module":
			if d.args[0] != Module {
				c.fail(file, d.args[0], "the core module is "+Module)
			}
		case "require":
			_, ok := dependencyOf(d.args[0])
			if !ok && !(d.indirect && slices.Contains(indirect, d.args[0])) {
				c.fail(file, d.args[0], "the core requires only what the design lists")
			}
		case "replace", "exclude", "tool":
			c.fail(file, d.verb+" "+d.args[0], "the core module has none: it would not reach its users")
		}
	}
}

func (c *checker) nestedModule(file, dir string, lines []directive) {
	if _, ok := nested[dir]; !ok {
		c.fail(file, dir, "is no module of the house")
		return
	}
	up := strings.Repeat("../", strings.Count(dir, "/")+1)
	var requires, replaces bool
	for _, d := range lines {
		switch {
		case d.verb == "module" && d.args[0] != Module+"/"+dir:
			c.fail(file, d.args[0], "the module is "+Module+"/"+dir)
		case d.verb == "require" && d.args[0] == Module:
			requires = true
		case d.verb == "replace" && d.args[0] == Module:
			target := d.args[len(d.args)-1]
			if replaces = target+"/" == up || target == up; !replaces {
				c.fail(file, "replace "+target, "the core is replaced by "+up)
				replaces = true
			}
		}
	}
	if requires && !replaces {
		c.fail(file, Module, "nested modules replace the core by "+up)
	}
}

// dependencyOf is the allowed module that holds the package.
func dependencyOf(importPath string) (dependency, bool) {
	for _, d := range direct {
		if importPath == d.module || strings.HasPrefix(importPath, d.module+"/") {
			return d, true
		}
	}
	return dependency{}, false
}

// forbidden says why f may not import imp; it is empty where it may.
func (c *checker) forbidden(f source, imp string) string {
	module := c.moduleOf(f.dir)
	to, house := strings.CutPrefix(imp, Module+"/")
	if module != "." {
		if house && module == "examples" && strings.HasPrefix(to, "internal/") {
			return "examples use what every user of the library can use"
		}
		return ""
	}
	first, _, _ := strings.Cut(imp, "/")
	switch {
	case house:
		return c.arrow(f, to)
	case imp == Module:
		return "there is no package at the root"
	case strings.Contains(first, "."):
		switch d, ok := dependencyOf(imp); {
		case !ok:
			return "the core imports only what the design lists"
		case d.in != nil && !d.in(f, imp):
			return d.rule
		}
	case f.test:
	case first == "testing" && !isTestKit(f.dir):
		return "only _test.go files and *test packages import testing"
	case imp == "database/sql" && !isSQL(f.dir):
		return "only *sql packages and internal/sqlkit import database/sql"
	case imp == "database/sql/driver" && f.dir != "internal/sqlkit":
		return "the user brings the driver; only internal/sqlkit knows its errors"
	}
	return ""
}

// arrow says why the file f may not import the package to of the house.
func (c *checker) arrow(f source, to string) string {
	here, there := room(f.dir), room(to)
	switch {
	case c.moduleOf(to) != ".":
		return "the core never imports a nested module"
	case to == f.dir:
		return "" // an external test package
	case there == "internal":
		if to == "internal/sqlkit" && isSQL(f.dir) || to == "internal/badtext" && isTestKit(f.dir) {
			return ""
		}
		return "of internal/ only internal/sqlkit is imported, by *sql packages, and internal/badtext, by *test packages"
	case !f.test && isTestKit(to) && !isTestKit(f.dir):
		return "only tests and *test packages import *test packages"
	case !f.test && isSQL(to):
		return "stores are chosen by the program, not by the library"
	case here == "internal":
		return "internal/ knows no package of the house"
	case f.dir == "profile/commerce":
		return "profile/commerce imports nothing of the house"
	case f.dir == "profile" && !f.test && to != "profile/commerce":
		return "profile imports nothing of the house but profile/commerce"
	case here == there:
		return ""
	case there == "profile" && (f.test || to == "profile" || to == "profile/commerce"):
		return ""
	case there == "profile":
		return "of profile other packages import profile and profile/commerce only"
	}
	return here + " and " + there + " know nothing of one another"
}

// room is the part of the house that dir belongs to.
func room(dir string) string {
	first, _, _ := strings.Cut(dir, "/")
	if first == "internal" || slices.Contains(rooms, first) {
		return first
	}
	return dir
}

func isTestKit(dir string) bool { return strings.HasSuffix(dir, "test") }

func isSQL(dir string) bool { return strings.HasSuffix(dir, "sql") || dir == "internal/sqlkit" }

// directive is one line of a go.mod or go.work.
type directive struct {
	verb     string
	args     []string
	indirect bool
}

// directives reads a go.mod or go.work, with blocks as if each line stood alone.
func directives(text string) []directive {
	var out []directive
	block := ""
	for l := range strings.Lines(text) {
		code, comment, _ := strings.Cut(l, "//")
		words := strings.Fields(code)
		switch {
		case len(words) == 0:
			continue
		case words[0] == ")":
			block = ""
			continue
		case len(words) == 2 && words[1] == "(":
			block = words[0]
			continue
		}
		if block != "" {
			words = append([]string{block}, words...)
		}
		if len(words) > 1 {
			out = append(out, directive{words[0], words[1:], strings.TrimSpace(comment) == "indirect"})
		}
	}
	return out
}
