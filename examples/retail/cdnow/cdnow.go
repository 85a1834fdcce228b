// Package cdnow reads the CDNOW purchase history (a tenth of the customers who
// first bought in early 1997, and what they bought until mid 1998) as a feed of
// the retail example, and counts the same file a second time, on another path.
//
// The file has no header and fixed columns: customer in the master set (five
// digits), customer in the sample (four), date (yyyymmdd), CDs, dollars. A line
// that deviates is left out with line and reason; see [input.Summary].
//
// How the file is understood:
//
//   - Every line is one order, also where a customer has several on a day: 6,919
//     lines, 6,696 customer-days. Equal lines are separate purchases, as in the
//     literature, which then merges orders of a day; [Figures] states both counts.
//   - The file gives the day only. The first order of a customer on a day is set
//     to noon of [Zone], each further one a minute later, in the order of the file.
//   - Each order is placed, paid and completed at that instant; nothing is known
//     of shipping. An order of zero dollars is placed and completed, and paid with no tender.
package cdnow

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // so that Zone exists on every machine

	"github.com/cxkit/cxkit/examples/retail/feed"
	"github.com/cxkit/cxkit/examples/retail/input"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
)

// What the events of the feed are named by.
const (
	Source        = "cdnow"
	Currency      = "USD"
	Zone          = "America/New_York" // the shop's
	PersonKind    = "cdnow.customer"   // the customer in the master set: links
	CentsPerPoint = 100                // one point per whole dollar
)

// Dataset is the content of the file that was taken. It does not change.
type Dataset struct {
	orders  []order // by time, then line
	summary input.Summary
}

type order struct {
	line     int
	customer string
	number   string
	at       time.Time
	discs    int64
	cents    int64
}

// The fixed columns, each from its blank separator on; the line ends after the last.
const (
	masterEnd  = 6
	sampleEnd  = 11
	dateEnd    = 20
	discsEnd   = 23
	dollarsEnd = 31
)

// maxCents bounds a single amount, so that no sum can overflow.
const maxCents = 1_000_000_00

// Open reads the file. The error is an [*input.FormatError] where it cannot be
// read or is empty; broken lines are no error here: see [Dataset.Summary].
func Open(file string) (*Dataset, error) {
	zone, err := time.LoadLocation(Zone)
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(file)
	if err != nil {
		reason := err.Error()
		var path *fs.PathError
		if errors.As(err, &path) {
			reason = path.Err.Error()
		}
		return nil, &input.FormatError{Place: input.Place{File: file}, Reason: reason, Err: err}
	}
	name := filepath.Base(file)
	if len(bytes.TrimSpace(content)) == 0 {
		return nil, &input.FormatError{Place: input.Place{File: name}, Reason: "the file is empty"}
	}
	d := &Dataset{}
	count := input.FileCount{File: name}
	masterOf, sampleOf := map[string]string{}, map[string]string{}
	ofDay := map[string]int{}
	merged, free := 0, 0
	n := 0
	for text := range strings.Lines(string(content)) {
		n++
		count.Rows++
		text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
		o, sample, err := parseLine(text, zone)
		if err == nil && (masterOf[sample] != "" && masterOf[sample] != o.customer || sampleOf[o.customer] != "" && sampleOf[o.customer] != sample) {
			err = errors.New("the pair of customer numbers contradicts an earlier line")
		}
		if err != nil {
			count.Rejected++
			d.summary.Rejects = append(d.summary.Rejects, input.Reject{Place: input.Place{File: name, Line: n}, Reason: err.Error()})
			continue
		}
		masterOf[sample], sampleOf[o.customer] = o.customer, sample
		day := o.customer + "-" + o.at.Format("20060102")
		o.at = o.at.Add(time.Duration(ofDay[day]) * time.Minute)
		ofDay[day]++
		o.line, o.number = n, day+"-"+strconv.Itoa(ofDay[day])
		if ofDay[day] > 1 {
			merged++
		}
		if o.cents == 0 {
			free++
		}
		d.orders = append(d.orders, o)
	}
	slices.SortFunc(d.orders, func(a, b order) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.line, b.line)) })
	d.summary.Files = []input.FileCount{count}
	d.summary.Orders = count.Rows
	for _, o := range []input.Observation{
		{Count: merged, Text: "orders that follow another of the same customer on the same day: orders of their own"},
		{Count: free, Text: "orders of zero dollars"},
	} {
		if o.Count > 0 {
			d.summary.Observations = append(d.summary.Observations, o)
		}
	}
	return d, nil
}

// parseLine reads the fixed columns; the order's time is noon of its day.
func parseLine(text string, zone *time.Location) (o order, sample string, err error) {
	if len(text) != dollarsEnd {
		return o, "", fmt.Errorf("%d characters instead of %d", len(text), dollarsEnd)
	}
	cell := func(from, to int) string { return strings.TrimLeft(text[from:to], " ") }
	for _, blank := range []int{0, masterEnd, sampleEnd, dateEnd, discsEnd} {
		if text[blank] != ' ' {
			return o, "", fmt.Errorf("no blank in column %d", blank+1)
		}
	}
	o.customer, sample = cell(0, masterEnd), cell(masterEnd, sampleEnd)
	for _, c := range []struct {
		what, text string
		digits     int
	}{{"customer in the master set", o.customer, 5}, {"customer in the sample", sample, 4}, {"date", cell(sampleEnd, dateEnd), 8}} {
		if len(c.text) != c.digits || strings.Trim(c.text, "0123456789") != "" {
			return o, "", fmt.Errorf("%s: %q is not %d digits", c.what, c.text, c.digits)
		}
	}
	date := cell(sampleEnd, dateEnd)
	if o.at, err = input.ParseLocal("20060102 15", date+" 12", zone); err != nil {
		return o, "", fmt.Errorf("date: %q is no day of the calendar", date)
	}
	discs := cell(dateEnd, discsEnd)
	if o.discs, err = strconv.ParseInt(discs, 10, 64); err != nil || o.discs < 1 {
		return o, "", fmt.Errorf("CDs: %q is not a number from 1", discs)
	}
	dollars := cell(discsEnd, dollarsEnd)
	if o.cents, err = input.ParseCents(dollars); err != nil || o.cents > maxCents {
		return o, "", fmt.Errorf("dollars: %q is not an amount with at most two decimals", dollars)
	}
	return o, sample, nil
}

// Summary says what was taken, what was left out and why, and what was peculiar.
func (d *Dataset) Summary() input.Summary { return d.summary }

// Orders is the number of orders in the feed.
func (d *Dataset) Orders() int { return len(d.orders) }

// Deliveries is the number of events that Feed yields.
func (d *Dataset) Deliveries() int { return len(d.orders) * len(steps) }

var steps = []struct {
	name string
	kind commerce.EventKind
}{
	{feed.OrderPlaced, commerce.Placed},
	{feed.OrderPaid, commerce.Paid},
	{feed.OrderCompleted, commerce.Completed},
}

// Feed yields three events per order, in order of time and of the file.
// Yielded errors are nil: what is broken is in the Summary. Events are
// [profile.Live]; who fills in history sets the mode.
func (d *Dataset) Feed() feed.Feed {
	return func(yield func(feed.Delivery, error) bool) {
		for _, o := range d.orders {
			for _, s := range steps {
				if !yield(feed.Delivery{At: o.at, Event: o.event(s.name, s.kind)}, nil) {
					return
				}
			}
		}
	}
}

func (o order) event(name string, kind commerce.EventKind) profile.Event {
	fact := &commerce.Event{Order: commerce.Key{Source: Source, Number: o.number}, Kind: kind, Currency: Currency}
	switch kind {
	case commerce.Placed:
		fact.Lines = []commerce.Line{{ID: "1", SKU: "cd", Category: "music", Quantity: o.discs, List: o.cents, Net: o.cents}}
	case commerce.Paid:
		if o.cents > 0 {
			fact.Payments = []commerce.Payment{{Tender: "card", Amount: o.cents}}
		}
	}
	return profile.Event{
		ID: Source + "/" + o.number + "/" + name, Source: Source, Name: name, Time: o.at,
		Identifiers: []profile.Identifier{{Kind: PersonKind, Value: o.customer}},
		Properties:  profile.Values{"order_id": profile.Text(o.number), "channel": profile.Text("web")},
		Order:       fact,
	}
}
