package olist

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// realFiles is the directory of the public files; the test is skipped, saying
// so, where they are absent.
func realFiles(t *testing.T) string {
	t.Helper()
	root := os.Getenv("CXKIT_DATA")
	if root == "" {
		root = filepath.Join("..", "..", "..", "..", "shared", "data")
	}
	dir := filepath.Join(root, "olist")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no Olist files: set CXKIT_DATA or put them at %s", dir)
	}
	return dir
}

func TestX(t *testing.T) {
	dir := realFiles(t)
	d, err := Open(dir)
	require.NoError(t, err)
	t.Log("\n" + d.Summary().String())
	f, err := Reconcile(dir, d.Summary())
	require.NoError(t, err)
	for _, c := range Compare(f, f) {
		t.Log(c)
	}
}
