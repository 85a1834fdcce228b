package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func newShop(t *testing.T) *shop {
	t.Helper()
	s, err := openShop(t.Context(), filepath.Join(t.TempDir(), "shop.db"), "", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.close()) })
	return s
}

func ask(t *testing.T, h http.Handler, method, path, body string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	return w.Code, w.Body.String()
}

func TestAnOrderIsPlacedOnce(t *testing.T) {
	s := newShop(t)
	h := s.routes()
	const boots = `{"number":"1","phone":"13800138000","sku":"boots","cents":59900}`
	for range 2 {
		code, text := ask(t, h, "POST", "/orders", boots)
		require.Equal(t, http.StatusOK, code, text)
	}
	code, _ := ask(t, h, "POST", "/orders", strings.Replace(boots, "boots", "hat", 1))
	require.Equal(t, http.StatusConflict, code)
	code, _ = ask(t, h, "POST", "/orders", `{"number":"2","phone":"138****8000","sku":"hat","cents":9900}`)
	require.Equal(t, http.StatusUnprocessableEntity, code, "a masked number is nobody's")
	code, _ = ask(t, h, "POST", "/orders", `{"number":`)
	require.Equal(t, http.StatusBadRequest, code)

	var c customer
	code, text := ask(t, h, "GET", "/customers/+86%20138%200013%208000", "")
	require.Equal(t, http.StatusOK, code, text)
	require.NoError(t, json.Unmarshal([]byte(text), &c))
	require.Equal(t, customer{ID: c.ID, Orders: 1, Points: 599}, c)
	code, _ = ask(t, h, "GET", "/customers/13900139000", "")
	require.Equal(t, http.StatusNotFound, code)
	code, _ = ask(t, h, "GET", "/health", "")
	require.Equal(t, http.StatusOK, code)
}

func TestTheJourneyAwardsItsBonusOnce(t *testing.T) {
	s := newShop(t)
	require.NoError(t, s.place(t.Context(), order{"1", "13800138000", "boots", 59900}, time.Now()))
	for range 2 {
		_, err := s.journeys.RunDue(t.Context(), time.Now().Add(time.Minute))
		require.NoError(t, err)
	}
	c, err := s.find(t.Context(), "13800138000")
	require.NoError(t, err)
	require.Equal(t, int64(599+bonus), c.Points)
}

func TestItStopsWhenAsked(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	listening := make(chan struct{})
	log := slog.New(slog.NewTextHandler(writer(func(line string) {
		if strings.Contains(line, "listening") {
			close(listening)
		}
	}), nil))
	go func() {
		ended <- run(ctx, []string{"-addr", "localhost:0", "-db", filepath.Join(t.TempDir(), "shop.db")}, log)
	}()
	select {
	case <-listening:
	case err := <-ended:
		require.NoError(t, err)
	}
	stop()
	require.NoError(t, <-ended)
}

type writer func(string)

func (w writer) Write(b []byte) (int, error) {
	w(string(b))
	return len(b), nil
}
