package program_test

import (
	"testing"

	"github.com/cxkit/cxkit/loyalty/loyaltytest"
	"github.com/cxkit/cxkit/loyalty/program"
)

func TestMemoryStore(t *testing.T) {
	loyaltytest.TestProgramStore(t, func(testing.TB) program.Store { return program.NewMemoryStore() })
}
