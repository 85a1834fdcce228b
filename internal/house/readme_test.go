package house_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// block is a fenced block of README.md.
type block struct {
	line int // of the opening fence, from 1
	text []string
}

// blocks are the fenced blocks of a language.
func blocks(t *testing.T, markdown, language string) []block {
	var out []block
	open := false
	for n, l := range lines(markdown) {
		fence, is := strings.CutPrefix(l, "```")
		switch {
		case is && open:
			open = false
		case is:
			open = true
			out = append(out, block{line: n + 1, text: []string{fence}})
		case open:
			last := &out[len(out)-1]
			last.text = append(last.text, l)
		}
	}
	require.False(t, open, "README.md: a block is not closed")
	out = slices.DeleteFunc(out, func(b block) bool { return b.text[0] != language })
	for i := range out {
		out[i].text = out[i].text[1:]
	}
	return out
}

func lines(text string) []string { return strings.Split(strings.TrimSuffix(text, "\n"), "\n") }

// bare are lines without their indentation: a snippet may come out of a function.
func bare(text []string) []string {
	out := make([]string, len(text))
	for i, l := range text {
		out[i] = strings.TrimSpace(l)
	}
	return out
}

func contains(text, part []string) bool {
	for i := range len(text) - len(part) + 1 {
		if slices.Equal(text[i:i+len(part)], part) {
			return true
		}
	}
	return false
}

// root is the repository, snippets the package that holds the README's code.
var (
	root     = filepath.Join("..", "..")
	snippets = filepath.Join(root, "examples", "readme")
)

func readme(t *testing.T) string {
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	return string(text)
}

// Whatever Go code the README shows is in a file of examples/readme, line by
// line, and so compiled, vetted and run there.
func TestReadmeShowsCodeThatRuns(t *testing.T) {
	files := map[string][]string{}
	require.NoError(t, filepath.WalkDir(snippets, func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" {
			return err
		}
		text, err := os.ReadFile(path)
		files[path] = bare(lines(string(text)))
		return err
	}))
	shown := blocks(t, readme(t), "go")
	require.NotEmpty(t, shown)
	for _, s := range shown {
		found := false
		for _, text := range files {
			found = found || contains(text, bare(s.text))
		}
		assert.True(t, found, "README.md:%d: no file of examples/readme has this snippet:\n%s", s.line, strings.Join(s.text, "\n"))
	}
}

func TestReadmeQuickStartIsAWholeProgram(t *testing.T) {
	program, err := os.ReadFile(filepath.Join(snippets, "quickstart", "main.go"))
	require.NoError(t, err)
	want := lines(string(program))
	require.LessOrEqual(t, len(want), 60)
	require.True(t, slices.ContainsFunc(blocks(t, readme(t), "go"), func(b block) bool { return slices.Equal(b.text, want) }))
}

func TestReadmeCommandsStandAlone(t *testing.T) {
	var commands []string
	for _, b := range blocks(t, readme(t), "sh") {
		commands = append(commands, b.text...)
	}
	assert.Contains(t, commands, "go run ./examples/retail")
	assert.Contains(t, commands, "go test work")
}
