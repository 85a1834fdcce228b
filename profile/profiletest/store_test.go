package profiletest_test

import (
	"testing"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/profiletest"
)

func TestMemoryStore(t *testing.T) {
	profiletest.TestStore(t, func(testing.TB) profile.Store { return profile.NewMemoryStore() })
}
