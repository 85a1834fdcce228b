package house_test

import (
	"io/fs"
	"maps"
	"os"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/internal/house"
)

func TestRepositoryKeepsTheRules(t *testing.T) {
	broken, err := house.Check(os.DirFS("../.."))
	require.NoError(t, err)
	for _, v := range broken {
		t.Error(v)
	}
}

const (
	coreMod = "module github.com/cxkit/cxkit\n\ngo 1.26.0\n\nrequire (\n\tgithub.com/google/uuid v1.6.0\n\tgithub.com/mschoch/smat v0.2.0 // indirect\n)\n"
	work    = "go 1.26.0\n\nuse (\n\t.\n\t./examples\n\t./internal/sqltest\n)\n"
	cx      = "github.com/cxkit/cxkit"
)

func nested(path, up string) string {
	return "module github.com/cxkit/cxkit/" + path + "\n\nrequire github.com/cxkit/cxkit v0.0.0\n\nreplace github.com/cxkit/cxkit => " + up + "\n"
}

func importing(paths ...string) string {
	text := "package p\n"
	for _, p := range paths {
		text += "import _ \"" + p + "\"\n"
	}
	return text
}

// good is a small house that keeps every rule.
var good = map[string]string{
	"go.mod":                          coreMod,
	"go.work":                         work,
	"examples/go.mod":                 nested("examples", "../"),
	"internal/sqltest/go.mod":         nested("internal/sqltest", "../.."),
	"internal/tools/go.mod":           "module github.com/cxkit/cxkit/internal/tools\n\ntool mvdan.cc/gofumpt\n",
	"examples/retail/main.go":         importing(cx+"/loyalty", cx+"/loyalty/loyaltysql", "modernc.org/sqlite", "testing"),
	"internal/sqltest/all_test.go":    importing(cx+"/internal/sqlkit", "github.com/jackc/pgx/v5/stdlib"),
	"profile/id.go":                   importing("errors", "github.com/google/uuid", cx+"/profile/commerce"),
	"profile/id_test.go":              importing("testing", "github.com/stretchr/testify/assert", cx+"/profile", cx+"/profile/profiletest"),
	"profile/commerce/fold.go":        importing("math/bits"),
	"profile/intake/csv.go":           importing(cx+"/profile", cx+"/profile/commerce"),
	"profile/phone/phone.go":          importing(cx+"/profile", "github.com/nyaruka/phonenumbers"),
	"profile/profiletest/suite.go":    importing("testing", cx+"/profile"),
	"segment/rule.go":                 importing(cx+"/profile", cx+"/profile/commerce", "github.com/RoaringBitmap/roaring/v2"),
	"segment/value/fit.go":            importing("gonum.org/v1/gonum/optimize", "golang.org/x/exp/constraints"),
	"loyalty/loyaltysql/store.go":     importing("database/sql", cx+"/loyalty", cx+"/internal/sqlkit"),
	"loyalty/testdata/broken.go":      importing("example.com/not/looked/at"),
	"loyalty/loyaltytest/store.go":    importing("testing/synctest", cx+"/loyalty"),
	"loyalty/program/program_test.go": importing(cx+"/loyalty/loyaltytest", cx+"/loyalty/loyaltysql", "database/sql"),
	"internal/sqlkit/tx.go":           importing("database/sql", "database/sql/driver"),
}

func tree(files ...map[string]string) fs.FS {
	root := fstest.MapFS{}
	for _, m := range files {
		for name, text := range m {
			root[name] = &fstest.MapFile{Data: []byte(text)}
		}
	}
	return root
}

func TestAHouseInOrderBreaksNoRule(t *testing.T) {
	broken, err := house.Check(tree(good))
	require.NoError(t, err)
	assert.Empty(t, broken)
}

func TestEachOffenderIsNamed(t *testing.T) {
	for name, c := range map[string]struct{ file, text, what string }{
		"a module that the design does not list":  {"go.mod", coreMod + "require github.com/lib/pq v1.0.0\n", "github.com/lib/pq"},
		"one that hides as indirect":              {"go.mod", coreMod + "require github.com/lib/pq v1.0.0 // indirect\n", "github.com/lib/pq"},
		"an indirect one required directly":       {"go.mod", "module github.com/cxkit/cxkit\nrequire github.com/mschoch/smat v0.2.0\n", "github.com/mschoch/smat"},
		"a replacement in the core":               {"go.mod", coreMod + "replace github.com/google/uuid => ./uuid\n", "replace github.com/google/uuid"},
		"the core under another name":             {"go.mod", "module example.com/cxkit\n", "example.com/cxkit"},
		"a nested module without replacement":     {"examples/go.mod", "module github.com/cxkit/cxkit/examples\nrequire github.com/cxkit/cxkit v0.0.0\n", cx},
		"a nested module replaced elsewhere":      {"examples/go.mod", nested("examples", "../../other"), "replace ../../other"},
		"a nested module under another name":      {"examples/go.mod", nested("sample", "../"), cx + "/sample"},
		"a module that is not in the plan":        {"segment/go.mod", nested("segment", "../"), "segment"},
		"a module too many in go.work":            {"go.work", work + "use ./internal/tools\n", "use ./internal/tools"},
		"a module missing in go.work":             {"go.work", "use .\nuse ./examples\n", "use ./internal/sqltest"},
		"another dependency":                      {"segment/x.go", importing("github.com/lib/pq"), "github.com/lib/pq"},
		"another dependency in a test":            {"segment/x_test.go", importing("github.com/onsi/gomega"), "github.com/onsi/gomega"},
		"testify outside tests":                   {"segment/segmenttest/x.go", importing("github.com/stretchr/testify/assert"), "github.com/stretchr/testify/assert"},
		"testing outside tests":                   {"segment/x.go", importing("testing"), "testing"},
		"a part of testing outside tests":         {"segment/x.go", importing("testing/fstest"), "testing/fstest"},
		"gonum in a root package":                 {"segment/x.go", importing("gonum.org/v1/gonum/mat"), "gonum.org/v1/gonum/mat"},
		"gonum in another package":                {"journey/contact/x.go", importing("gonum.org/v1/gonum/mat"), "gonum.org/v1/gonum/mat"},
		"phonenumbers outside profile/phone":      {"profile/x.go", importing("github.com/nyaruka/phonenumbers"), "github.com/nyaruka/phonenumbers"},
		"more of x/exp than constraints":          {"profile/x.go", importing("golang.org/x/exp/slices"), "golang.org/x/exp/slices"},
		"database/sql in a package of the house":  {"loyalty/x.go", importing("database/sql"), "database/sql"},
		"a driver in a store":                     {"loyalty/loyaltysql/x.go", importing("github.com/jackc/pgx/v5/stdlib"), "github.com/jackc/pgx/v5/stdlib"},
		"the driver's side in a store":            {"loyalty/loyaltysql/x.go", importing("database/sql/driver"), "database/sql/driver"},
		"a neighbor":                              {"journey/x.go", importing(cx + "/segment"), cx + "/segment"},
		"a neighbor's subpackage, from another":   {"journey/contact/x.go", importing(cx + "/loyalty/program"), cx + "/loyalty/program"},
		"a neighbor in a test":                    {"journey/x_test.go", importing(cx + "/segment"), cx + "/segment"},
		"profile upward":                          {"profile/x.go", importing(cx + "/segment"), cx + "/segment"},
		"profile and its own subpackage":          {"profile/x.go", importing(cx + "/profile/intake"), cx + "/profile/intake"},
		"commerce and profile":                    {"profile/commerce/x.go", importing(cx + "/profile"), cx + "/profile"},
		"a subpackage of profile from elsewhere":  {"segment/x.go", importing(cx + "/profile/intake"), cx + "/profile/intake"},
		"a test package in the library":           {"loyalty/x.go", importing(cx + "/loyalty/loyaltytest"), cx + "/loyalty/loyaltytest"},
		"a store in the library":                  {"loyalty/x.go", importing(cx + "/loyalty/loyaltysql"), cx + "/loyalty/loyaltysql"},
		"sqlkit outside stores":                   {"loyalty/x.go", importing(cx + "/internal/sqlkit"), cx + "/internal/sqlkit"},
		"a suite's helper outside suites":         {"loyalty/x.go", importing(cx + "/internal/badtext"), cx + "/internal/badtext"},
		"the house in internal":                   {"internal/sqlkit/x.go", importing(cx + "/loyalty"), cx + "/loyalty"},
		"an example in the library":               {"loyalty/x.go", importing(cx + "/examples/retail"), cx + "/examples/retail"},
		"a nested module of internal in a test":   {"loyalty/x_test.go", importing(cx + "/internal/sqltest/kit"), cx + "/internal/sqltest/kit"},
		"internals in an example":                 {"examples/x.go", importing(cx + "/internal/sqlkit"), cx + "/internal/sqlkit"},
		"a package at the root of the repository": {"loyalty/x.go", importing(cx), cx},
	} {
		t.Run(name, func(t *testing.T) {
			broken, err := house.Check(tree(good, map[string]string{c.file: c.text}))
			require.NoError(t, err)
			require.Len(t, broken, 1, "%v", broken)
			assert.Equal(t, c.file, broken[0].File)
			assert.Equal(t, c.what, broken[0].What)
			assert.NotEmpty(t, broken[0].Reason)
			assert.Contains(t, broken[0].String(), c.file+": "+c.what)
		})
	}
}

func TestWhatCannotBeReadIsAnError(t *testing.T) {
	for name, change := range map[string]map[string]string{
		"a file that does not parse": {"segment/x.go": "pack age"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := house.Check(tree(good, change))
			assert.ErrorContains(t, err, "segment/x.go")
		})
	}
	without := maps.Clone(good)
	delete(without, "go.work")
	_, err := house.Check(tree(without))
	assert.ErrorIs(t, err, fs.ErrNotExist)
}
