package badtext_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/internal/badtext"
)

func TestEveryTextIsSpoiledOnce(t *testing.T) {
	type inner struct{ Name string }
	type outer struct {
		ID    string
		In    *inner
		Rows  []inner
		Props map[string]inner
		own   string
	}
	fresh := func() outer {
		return outer{ID: "1", In: &inner{"2"}, Rows: []inner{{"3"}, {"4"}}, Props: map[string]inner{"5": {"6"}}, own: "7"}
	}
	var seen []string
	badtext.Each(fresh, func(where string, v outer) {
		seen = append(seen, where)
		require.Contains(t, fmt.Sprintf("%q", fmt.Sprint(v.ID, v.In.Name, v.Rows, v.Props)), `a\x`)
		require.Equal(t, "7", v.own)
	})
	require.Equal(t, []string{
		`.ID = "a\x00b"`, `.In.Name = "a\x00b"`, `.Rows[0].Name = "a\x00b"`, `.Rows[1].Name = "a\x00b"`, `.Props[key 5] = "a\x00b"`, `.Props[5].Name = "a\x00b"`,
		`.ID = "a\xffb"`, `.In.Name = "a\xffb"`, `.Rows[0].Name = "a\xffb"`, `.Rows[1].Name = "a\xffb"`, `.Props[key 5] = "a\xffb"`, `.Props[5].Name = "a\xffb"`,
	}, seen)
}
