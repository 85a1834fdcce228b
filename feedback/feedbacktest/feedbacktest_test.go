package feedbacktest_test

import (
	"testing"

	"github.com/cxkit/cxkit/feedback"
	"github.com/cxkit/cxkit/feedback/care"
	"github.com/cxkit/cxkit/feedback/feedbacktest"
)

func TestMemory(t *testing.T) {
	feedbacktest.TestStore(t, func(testing.TB) feedback.Store { return feedback.NewMemory() })
}

func TestCareMemory(t *testing.T) {
	feedbacktest.TestCareStore(t, func(testing.TB) care.Store { return care.NewMemory() })
}
