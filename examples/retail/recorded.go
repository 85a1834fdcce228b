package main

import (
	"context"
	"fmt"
	"time"

	"github.com/cxkit/cxkit/examples/retail/cdnow"
	"github.com/cxkit/cxkit/examples/retail/feed"
	"github.com/cxkit/cxkit/examples/retail/olist"
	"github.com/cxkit/cxkit/examples/retail/progress"
	"github.com/cxkit/cxkit/examples/retail/report"
	"github.com/cxkit/cxkit/examples/retail/shop"
	"github.com/cxkit/cxkit/feedback"
	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/profile"
)

// recording is a feed of real data in a file.
type recording struct {
	in         feed.Feed
	deliveries int
	club       shop.Club
	title      string
}

// replay runs the loop over a recording, and gives the report's sections.
func (r recording) replay(ctx context.Context, bar *progress.Progress) (*loop, period, []report.Section, error) {
	zone, err := time.LoadLocation(r.club.Zone)
	if err != nil {
		return nil, period{}, nil, err
	}
	p := period{zone: zone}
	for d := range r.in {
		if p.from.IsZero() {
			p.from = d.At
		}
		p.to = d.At.Add(time.Microsecond)
	}
	l, err := newLoop(ctx, p.from, setting{zone: r.club.Zone, world: nobody{}, clubs: map[string]shop.Club{"": r.club}})
	if err != nil {
		return nil, p, nil, err
	}
	stage := bar.Stage(r.title, "deliveries", int64(r.deliveries))
	if err := l.run(ctx, r.in, p.to, func() { stage.Add(1) }); err != nil {
		return nil, p, nil, err
	}
	stage.Done()
	s, err := l.sections(ctx, p)
	return l, p, s, err
}

var (
	_ = fmt.Sprint
	_ = cdnow.Source
	_ = olist.Source
	_ feedback.Query
	_ loyalty.AsOf
	_ profile.ID
)

func fromOlist(ctx context.Context, dir string, bar *progress.Progress) (report.Report, error, error) {
	return report.Report{}, nil, nil
}

func fromCDNOW(ctx context.Context, file string, bar *progress.Progress) (report.Report, error, error) {
	return report.Report{}, nil, nil
}
