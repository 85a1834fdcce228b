// Command retail runs the closed loop of cxkit over twelve months of a retail
// group: a generated year by default, or the public Olist or CDNOW files.
//
// It keeps everything in memory, or with -db in a SQLite file, or with -postgres
// in a PostgreSQL database. There it may be killed at any moment: run again with
// the same flags, it goes on where it was and ends with the same report.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"github.com/cxkit/cxkit/examples/retail/progress"
	"github.com/cxkit/cxkit/examples/retail/report"
	"github.com/cxkit/cxkit/examples/retail/world"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "retail:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet("retail", flag.ContinueOnError)
	seed := flags.Uint64("seed", 1, "the generated year")
	customers := flags.Int("customers", 0, "persons in the generated year; 0 is 4,000")
	olistDir := flags.String("olist", "", "read the Olist files in this `DIR` instead")
	cdnowFile := flags.String("cdnow", "", "read this CDNOW `FILE` instead")
	dbFile := flags.String("db", "", "keep everything in this SQLite `FILE`; if killed, run again to go on")
	postgres := flags.String("postgres", "", "keep everything in the PostgreSQL database at this `URL`, likewise")
	out := flags.String("o", "report.html", "where the report goes")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var keep *storage
	var r report.Report
	var doubt error
	if *dbFile != "" || *postgres != "" {
		if keep, err = openStorage(ctx, *dbFile, *postgres); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, keep.close()) }()
	}
	bar := progress.New(os.Stdout)
	switch {
	case *olistDir != "":
		r, doubt, err = replayed(ctx, keep, bar, func() (recording, error) { return fromOlist(*olistDir) })
	case *cdnowFile != "":
		r, doubt, err = replayed(ctx, keep, bar, func() (recording, error) { return fromCDNOW(*cdnowFile) })
	default:
		r, err = generated(ctx, world.Config{Seed: *seed, Customers: *customers}, keep, bar)
	}
	bar.Close()
	if err != nil {
		return err
	}
	if err := r.Text(os.Stdout); err != nil {
		return err
	}
	file, err := os.Create(*out)
	if err != nil {
		return err
	}
	if err := errors.Join(r.HTML(file), file.Close()); err != nil {
		return err
	}
	fmt.Printf("\nThe same with pictures: %s\n", *out)
	return doubt
}

func replayed(ctx context.Context, keep *storage, bar *progress.Progress, open func() (recording, error)) (report.Report, error, error) {
	data, err := open()
	if err != nil {
		return report.Report{}, nil, err
	}
	return data.replay(ctx, keep, bar)
}
