package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/cxkit/cxkit/examples/retail/shop"
	"github.com/cxkit/cxkit/examples/retail/world"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "retail:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	w, err := world.New(world.Config{Earn: world.Earn{Rounding: world.ByOrder}})
	if err != nil {
		return err
	}
	var tablets []string
	for _, o := range w.Outlets() {
		tablets = append(tablets, o.Tablets...)
	}
	clubs := map[string]shop.Club{}
	for _, b := range []string{world.Lumen, world.Hearth} {
		clubs[b] = shop.Club{Program: b, Currency: "CNY", Zone: "Asia/Shanghai", ReturnDays: 7, Silver: 1000, Gold: 3000}
	}
	t0 := time.Now()
	l, err := newLoop(ctx, w.Start().AddDate(-2, 0, 0), setting{tablets: tablets, clubs: clubs, zone: "Asia/Shanghai", world: nobody{}})
	if err != nil {
		return err
	}
	n := 0
	err = l.run(ctx, w.Feed(), w.End(), func() {
		n++
		if n%10000 == 0 {
			fmt.Println(n, l.now.Format("2006-01-02"), time.Since(t0))
		}
	})
	fmt.Println(n, time.Since(t0), fmt.Sprintf("%+v", l.count))
	return err
}
