// Command backend is a small order service that embeds cxkit: customers, points
// and journeys live in the same database as its own orders and commit with them.
//
//	go run ./examples/backend                        # SQLite, in shop.db
//	go run ./examples/backend -postgres URL          # PostgreSQL
//
//	curl -d '{"number":"1001","phone":"13800138000","sku":"boots","cents":59900}' localhost:8080/orders
//	curl localhost:8080/customers/13800138000
package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	if err := run(ctx, os.Args[1:], log); err != nil && !errors.Is(err, flag.ErrHelp) {
		log.Error("backend", "error", err)
		os.Exit(1)
	}
}

// shutdownTime is how long requests may take to finish after the end was asked for.
const shutdownTime = 10 * time.Second

// run serves until the context ends, and then lets requests and workers finish.
func run(ctx context.Context, args []string, log *slog.Logger) (err error) {
	flags := flag.NewFlagSet("backend", flag.ContinueOnError)
	addr := flags.String("addr", "localhost:8080", "where to listen")
	file := flags.String("db", "shop.db", "the SQLite `FILE`")
	postgres := flags.String("postgres", "", "a PostgreSQL database at this `URL` instead")
	if err := flags.Parse(args); err != nil {
		return err
	}
	shop, err := openShop(ctx, *file, *postgres, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, shop.close()) }()

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	worker := make(chan error, 1)
	go func() {
		err := shop.work(ctx)
		cancel(err)
		worker <- err
	}()

	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		cancel(err)
		return errors.Join(err, <-worker)
	}
	server := &http.Server{Handler: shop.routes(), ReadHeaderTimeout: 5 * time.Second}
	log.Info("listening", "addr", listener.Addr().String())
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err = <-served:
	case <-ctx.Done():
		grace, done := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
		defer done()
		err = server.Shutdown(grace)
		<-served
	}
	cancel(nil)
	err = errors.Join(err, <-worker)
	log.Info("stopped")
	return err
}
