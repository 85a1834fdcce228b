package readme

import (
	"path/filepath"
	"testing"

	"github.com/cxkit/cxkit/feedback/care"
	"github.com/cxkit/cxkit/feedback/feedbacktest"
)

func TestCaseFile(t *testing.T) {
	feedbacktest.TestCareStore(t, func(tb testing.TB) care.Store {
		return &CaseFile{Path: filepath.Join(tb.TempDir(), "cases.json")}
	})
}
