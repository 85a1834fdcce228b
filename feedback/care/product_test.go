package care_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/feedback/care"
	"github.com/cxkit/cxkit/profile/commerce"
)

func TestAWarrantyEndsWithTheLocalDay(t *testing.T) {
	for _, c := range []struct {
		zone, bought string
		months       int
		want         string
	}{
		{"Asia/Shanghai", "2026-01-15 23:59", 24, "2028-01-16 00:00"},
		{"Asia/Shanghai", "2026-01-31 10:00", 1, "2026-03-01 00:00"},
		{"Asia/Shanghai", "2024-02-29 10:00", 12, "2025-03-01 00:00"},
		{"Asia/Shanghai", "2026-12-31 10:00", 2, "2027-03-01 00:00"},
		{"America/Asuncion", "2022-09-30 10:00", 12, "2023-10-01 01:00"}, // no midnight that day
	} {
		z := zone(t, c.zone)
		bought, err := time.ParseInLocation("2006-01-02 15:04", c.bought, z)
		require.NoError(t, err)
		assert.Equal(t, c.want, care.WarrantyEnd(bought, c.months, z).In(z).Format("2006-01-02 15:04"), c.bought)
	}
}

func TestARepairKnowsWhetherTheProductIsUnderWarranty(t *testing.T) {
	d := newDesk(t, care.Config{})
	watch := care.Product{
		ID: "W1", Customer: "li", SKU: "watch", Order: commerce.Key{Number: "A1"},
		BoughtAt: monday.AddDate(-1, 0, 0), WarrantyUntil: monday.Add(time.Hour),
	}
	for range 2 {
		p, err := d.Register(t.Context(), watch)
		require.NoError(t, err)
		assert.True(t, p.Covered(monday))
	}
	other := watch
	other.Customer = "wu"
	_, err := d.Register(t.Context(), other)
	require.ErrorIs(t, err, care.ErrMismatch)

	repair := func(id string, at time.Time) care.Case {
		c, err := d.Open(t.Context(), care.Opening{ID: id, Kind: care.Repair, Time: at, Serial: "W1"})
		require.NoError(t, err)
		return c
	}
	assert.True(t, repair("R1", monday).UnderWarranty())
	assert.False(t, repair("R2", monday.Add(time.Hour)).UnderWarranty(), "over at its instant")
	assert.Equal(t, "repair R1 is registered since 2026-03-02 01:00; under warranty until 2026-03-02 02:00", status(t, d, "R1", 0).String())

	p, err := d.PassOn(t.Context(), "W1", "wu")
	require.NoError(t, err)
	assert.Equal(t, commerce.Key{}, p.Order, "the order is the former owner's")
	again, err := d.Register(t.Context(), watch)
	require.NoError(t, err, "a registration repeated after the gift")
	assert.Equal(t, p, again)
	held, err := d.Export(t.Context(), "wu")
	require.NoError(t, err)
	assert.Len(t, held.Products, 1)
	_, err = d.PassOn(t.Context(), "W9", "wu")
	assert.ErrorIs(t, err, care.ErrNotFound)
	_, err = d.Register(t.Context(), care.Product{ID: "x", BoughtAt: monday})
	assert.ErrorIs(t, err, care.ErrInvalid)
}
