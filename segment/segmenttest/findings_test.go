package segmenttest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/segment"
	"github.com/cxkit/cxkit/segment/segmenttest"
)

// listener is a test that only listens to what it is told.
type listener struct {
	testing.TB
	errors []string
	fatal  string
}

func (l *listener) Errorf(format string, args ...any) {
	l.errors = append(l.errors, fmt.Sprintf(format, args...))
}

// stopped is what a fatal finding ends a case with.
type stopped struct{}

func (l *listener) Fatalf(format string, args ...any) {
	l.fatal = fmt.Sprintf(format, args...)
	panic(stopped{})
}

func listen(t *testing.T, f func(testing.TB)) (l *listener) {
	l = &listener{TB: t}
	defer func() {
		if r := recover(); r != nil {
			require.Equal(t, stopped{}, r)
		}
	}()
	f(l)
	return l
}

func TestAFindingIsPrintedOnce(t *testing.T) {
	l := listen(t, func(tb testing.TB) {
		c := segmenttest.New(tb, segment.Events("visit").Within(segment.Days(3)).AtLeast(1).As("visits"), "").Does("visit", "2026-03-01")
		c.At("2026-03-02").Out().Because("visits", "1 of 1")
		c.At("2026-03-02").In().Until("2026-03-04")
	})
	require.Len(t, l.errors, 1)
	require.Contains(t, l.errors[0], "expected out, in by every evaluator")
}

func TestTheNextChangeIsAskedOfEveryEvaluator(t *testing.T) {
	l := listen(t, func(tb testing.TB) {
		segmenttest.New(tb, segment.Events("visit").Within(segment.Days(3)).AtLeast(1), "").Does("visit", "2026-03-01").At("2026-03-02").In().Forever()
	})
	require.Len(t, l.errors, 1)
	require.Contains(t, l.errors[0], "not at never but at 2026-03-04 00:00:00 (every evaluator)")
}

func TestRefundOfAnUnknownOrder(t *testing.T) {
	l := listen(t, func(tb testing.TB) {
		segmenttest.New(tb, segment.NetOrders().AtLeast(1), "").Order("A1", "2026-03-01", 100).Refund("A2", "2026-03-02", 100)
	})
	require.Contains(t, l.fatal, `"A2"`)
}

func TestUndeclaredDependenciesAreFound(t *testing.T) {
	rule := func(deps segment.Deps) segment.Rule {
		return segment.Func("loyal", deps, func(c segment.Customer) bool {
			tier, _ := c.Attr("tier").Text()
			return tier == "gold" || c.In("vip") || !c.Measure("visits").IsZero()
		})
	}
	check := func(deps segment.Deps) *listener {
		return listen(t, func(tb testing.TB) {
			segmenttest.New(tb, segment.Any(segment.In("inner")), "").Segment("vip", segment.Attr("vip").True()).Segment("inner", rule(deps)).
				Trait("tier", "basic").Does("visit", "2026-03-01").At("2026-03-02").Because("in segment inner", "tier")
		})
	}
	visits := map[string]segment.Measure{"visits": segment.Events("visit").Within(segment.Days(9)).Sum("n")}
	l := check(segment.Deps{Attrs: []string{"tier"}, Measures: visits, Segments: []string{"vip"}})
	require.Empty(t, l.errors)
	l = check(segment.Deps{})
	require.Len(t, l.errors, 3, strings.Join(l.errors, "\n"))
	for i, name := range []string{"tier", "vip", "visits"} {
		require.Contains(t, l.errors[i], fmt.Sprintf("func loyal reads %q, which its Deps do not declare", name))
	}
}

func TestAFunctionIsExplainedByWhatItRead(t *testing.T) {
	deps := segment.Deps{Attrs: []string{"tier"}, Measures: map[string]segment.Measure{"visits": segment.Events("visit").Within(segment.Days(9)).Count()}}
	rule := segment.Func("regular", deps, func(c segment.Customer) bool {
		n, _ := c.Measure("visits").Int()
		return n >= 1 && !c.Attr("tier").IsZero()
	})
	rules, err := segment.Compile(segment.Definition{Name: "s", Rule: rule})
	require.NoError(t, err)
	x, err := rules.Explain("s", segment.Record{ID: "li", Traits: profile.Values{"tier": profile.Text("gold")}}, testTime(t, "2026-03-01"))
	require.NoError(t, err)
	require.Equal(t, "not in s at 2026-03-01 00:00: func regular says no (visits is 0)", x.String())
	require.Equal(t, []segment.Reading{{Name: "visits", Value: profile.Int(0)}}, x.Rule.Read)
}
