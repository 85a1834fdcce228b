package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/profile"
)

// maxBody is the most that a request may send.
const maxBody = 64 << 10

func (s *shop) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders", func(w http.ResponseWriter, r *http.Request) {
		var o order
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&o); err != nil {
			http.Error(w, "not an order", http.StatusBadRequest)
			return
		}
		if o.Number == "" || o.Phone == "" || o.Cents < 100 {
			http.Error(w, "an order needs a number, a phone, and at least 100 cents", http.StatusUnprocessableEntity)
			return
		}
		if err := s.place(r.Context(), o, time.Now()); err != nil {
			s.fail(w, r, err)
			return
		}
		s.answer(w, r, o)
	})
	mux.HandleFunc("GET /customers/{phone}", func(w http.ResponseWriter, r *http.Request) {
		c, err := s.find(r.Context(), r.PathValue("phone"))
		if err != nil {
			s.fail(w, r, err)
			return
		}
		s.answer(w, r, c)
	})
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, r *http.Request) {
		if err := s.db.PingContext(r.Context()); err != nil {
			s.fail(w, r, err)
			return
		}
		s.answer(w, r, "ok")
	})
	return mux
}

func (s *shop) answer(w http.ResponseWriter, r *http.Request, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		s.log.WarnContext(r.Context(), "answer", "error", err)
	}
}

// fail maps errors to what a client can do about them. The log has no personal
// data: paths are not in it.
func (s *shop) fail(w http.ResponseWriter, r *http.Request, err error) {
	status, text := http.StatusInternalServerError, "try again"
	switch {
	case errors.Is(err, profile.ErrNotFound), errors.Is(err, profile.ErrGone):
		status, text = http.StatusNotFound, "unknown"
	case errors.Is(err, errTaken):
		status, text = http.StatusConflict, "the number is another order's"
	case errors.Is(err, profile.ErrNoIdentifier), errors.Is(err, profile.ErrInvalidEvent), errors.Is(err, loyalty.ErrInvalid):
		status, text = http.StatusUnprocessableEntity, "the order is not valid"
	default:
		s.log.ErrorContext(r.Context(), "request", "method", r.Method, "error", err)
	}
	http.Error(w, text, status)
}
