package readme

import (
	"path/filepath"
	"testing"

	"github.com/cxkit/cxkit/segment"
	"github.com/cxkit/cxkit/segment/segmenttest"
)

func TestFileStore(t *testing.T) {
	segmenttest.TestStore(t, func(tb testing.TB) segment.Store {
		return must(OpenFileStore(filepath.Join(tb.TempDir(), "segments.json")))
	})
}
