package segmenttest_test

import (
	"testing"

	"github.com/cxkit/cxkit/segment"
	"github.com/cxkit/cxkit/segment/segmenttest"
)

func TestMemoryStore(t *testing.T) {
	segmenttest.TestStore(t, func(testing.TB) segment.Store { return &segment.MemoryStore{} })
}
