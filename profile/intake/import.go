package intake

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// Sink takes events in batches: a [profile.Directory] is one. The receipts
// stand in the order of the events and say which were not recorded; the error
// means that none was.
type Sink interface {
	ObserveBatch(ctx context.Context, events []profile.Event) ([]profile.Receipt, error)
}

// SinkFunc is a function as a [Sink].
type SinkFunc func(ctx context.Context, events []profile.Event) ([]profile.Receipt, error)

// ObserveBatch calls f.
func (f SinkFunc) ObserveBatch(ctx context.Context, events []profile.Event) ([]profile.Receipt, error) {
	return f(ctx, events)
}

// Config sets up an [Importer].
type Config struct {
	// Mapping says what the input means; required unless Spec is given.
	Mapping Mapping
	// Spec, in place of a Mapping, takes messages of the Segment spec, one
	// message or batch a line.
	Spec *Spec
	// Each, where it is set, is called with every event before it is handed
	// over, and with the text of its record or message: to rename it, to drop a
	// trait, to add an order. An error rejects the record, or the message; its
	// text is the reason and must repeat nothing of it. The event ID is made
	// before, so that a replay finds it whatever Each does.
	Each func(raw string, e *profile.Event) error
	// Sink takes the events; required for [Importer.Import].
	Sink Sink
	// BatchSize is how many events are handed over together, at least; a record
	// is never divided. Default: 500.
	BatchSize int
	// MaxRecordBytes bounds one record, all its rows together. Default: 1 MiB.
	MaxRecordBytes int
	// MaxRejects stops a run that rejects more rows. Default: 0, never.
	MaxRejects int
}

// Importer runs a mapping. It holds no state of its own: it may be used for
// several inputs at once.
type Importer struct {
	cfg     Config
	program *program
	spec    *specDecoder // nil for a mapping
}

// New makes an importer. Errors match [ErrConfig] or [ErrMapping] and name the field.
func New(cfg Config) (*Importer, error) {
	switch {
	case cfg.BatchSize < 0:
		return nil, fmt.Errorf("%w: BatchSize is negative", ErrConfig)
	case cfg.MaxRecordBytes < 0:
		return nil, fmt.Errorf("%w: MaxRecordBytes is negative", ErrConfig)
	case cfg.MaxRejects < 0:
		return nil, fmt.Errorf("%w: MaxRejects is negative", ErrConfig)
	}
	if cfg.BatchSize == 0 {
		cfg.BatchSize = 500
	}
	if cfg.MaxRecordBytes == 0 {
		cfg.MaxRecordBytes = 1 << 20
	}
	if cfg.Spec == nil {
		p, err := compile(cfg.Mapping)
		if err != nil {
			return nil, err
		}
		return &Importer{cfg: cfg, program: p}, nil
	}
	if !reflect.ValueOf(cfg.Mapping).IsZero() {
		return nil, fmt.Errorf("%w: both Mapping and Spec are given", ErrConfig)
	}
	d, err := compileSpec(*cfg.Spec)
	if err != nil {
		return nil, err
	}
	d.each = cfg.Each
	if known, ok := cfg.Sink.(remembering); ok {
		cfg.Sink = firstTime{known}
	}
	p := &program{Mapping: Mapping{Input: JSONLines}, hash: d.hash}
	return &Importer{cfg: cfg, program: p, spec: d}, nil
}

// Input is one file and what goes with it.
type Input struct {
	// Name is the file in errors and reports.
	Name string
	// Reader is the input, from its beginning also when it is resumed.
	Reader io.Reader
	// Rejects gets the rejected rows as CSV: line, reason, and the row as it
	// was. It holds personal data where the input does. nil for none.
	Rejects io.Writer
	// From continues where a checkpoint was taken; the zero value starts at the
	// beginning. Truncate what Rejects wrote to Checkpoint.RejectBytes first, or
	// rows rejected since may stand there twice.
	From Checkpoint
	// Save is called after each batch that the sink took. An error stops the
	// run. nil for none.
	Save func(context.Context, Checkpoint) error
}

// Import reads the input and hands its events to the sink. The report is
// there even where it fails, and its checkpoint is where to go on.
//
// It fails with a [*FileError] where the input cannot be trusted, with
// [ErrCheckpoint], [ErrTooManyRejects], [ErrConfig], and with what the reader,
// the sink, Save or the context return. Rejected rows are no failure. A batch
// that the sink took before a failure may be handed over again by the next run:
// its events have the same IDs.
func (im *Importer) Import(ctx context.Context, in Input) (Report, error) {
	if im.cfg.Sink == nil {
		return Report{}, fmt.Errorf("%w: Sink is missing", ErrConfig)
	}
	return im.run(ctx, in, im.cfg.Sink)
}

// DryRun does all that Import does except handing over and saving; rejects are
// written. The report counts what would be written. Events that the input repeats count as
// duplicates, and an ID with another content as a reject; what the sink alone
// knows, such as identifiers that it refuses, does not show. It remembers 24
// bytes and a little for each event.
func (im *Importer) DryRun(ctx context.Context, in Input) (Report, error) {
	in.Save = nil
	return im.run(ctx, in, &rehearsal{seen: map[[16]byte][8]byte{}})
}

// Receive takes one body of messages of the Segment spec, a message or a
// batch, as an endpoint gets it: received is when it came in. Each message that
// is broken is a reject with its reason; the others are recorded. It is for an
// importer with a Spec. Otherwise its errors are those of Import.
func (im *Importer) Receive(ctx context.Context, body []byte, received time.Time) (Report, error) {
	switch {
	case im.spec == nil:
		return Report{}, fmt.Errorf("%w: Spec is missing", ErrConfig)
	case im.cfg.Sink == nil:
		return Report{}, fmt.Errorf("%w: Sink is missing", ErrConfig)
	case len(body) > im.cfg.MaxRecordBytes:
		return Report{}, &FileError{File: "body", Err: ErrTooLong}
	}
	r := im.newRun(Input{Name: "body"}, im.cfg.Sink)
	r.received = received
	w := row{line: 1, raw: string(body), text: string(body)}
	w.fault = textFault(w.text)
	err := r.take(ctx, record{rows: []row{w}, reason: w.fault})
	if err == nil {
		err = r.flush(ctx)
	}
	return r.report, err
}

// run is one reading of an input.
type run struct {
	*builder
	spec     *specDecoder
	received time.Time // of a body
	cfg      Config
	in       Input
	sink     Sink
	dry      bool
	report   Report
	lines    lines
	hash     hash.Hash // of what was consumed
	offset   int64
	width    int // of a row
	rejects  *csv.Writer
	written  countingWriter

	pending []record // of the batch
	events  []profile.Event
}

// record is rows that belong together.
type record struct {
	rows   []row
	events int
	reason string // why it is rejected; empty if it is not
}

func (im *Importer) newRun(in Input, sink Sink) *run {
	_, dry := sink.(*rehearsal)
	return &run{
		builder: &builder{program: im.program, each: im.cfg.Each}, spec: im.spec, cfg: im.cfg, in: in, sink: sink, dry: dry,
		report: newReport(in.Name), hash: sha256.New(),
	}
}

func (im *Importer) run(ctx context.Context, in Input, sink Sink) (Report, error) {
	r := im.newRun(in, sink)
	r.lines = lines{
		in: bufio.NewReaderSize(in.Reader, 64<<10), max: im.cfg.MaxRecordBytes,
		quoted: im.program.Input != JSONLines, comma: im.program.comma,
	}
	if in.Reader == nil {
		return r.report, fmt.Errorf("%w: Reader is missing", ErrConfig)
	}
	if err := r.begin(); err != nil {
		return r.report, err
	}
	err := r.records(ctx)
	if err == nil {
		err = r.flush(ctx)
	}
	return r.report, err
}

// fatal puts file and line to a condition that stops the run.
func (r *run) fatal(line int, err error) error {
	for _, known := range []error{ErrTooLong, ErrEncoding, ErrNoHeader} {
		if errors.Is(err, known) {
			return &FileError{File: r.in.Name, Line: line, Err: known}
		}
	}
	return fmt.Errorf("intake: %s: %w", r.in.Name, err)
}

// begin reads the header and goes to where the run begins.
func (r *run) begin() error {
	n, err := skipBOM(r.lines.in, r.hash)
	if err != nil {
		return r.fatal(1, err)
	}
	r.offset = int64(n)
	header := r.Columns
	if r.Input != JSONLines && len(header) == 0 {
		if header, err = r.header(); err != nil {
			return err
		}
	}
	if r.Input != JSONLines {
		bound, fault := r.bind(header)
		if fault != nil {
			fault.File, fault.Line = r.in.Name, r.lines.line
			return fault
		}
		r.bound, r.width = bound, len(header)
	}
	if err := r.resume(); err != nil {
		return err
	}
	if r.in.Rejects != nil {
		r.written = countingWriter{to: r.in.Rejects, n: r.in.From.RejectBytes}
		r.rejects = csv.NewWriter(&r.written)
		if r.written.n == 0 {
			return r.rejects.Write([]string{"line", "reason", "row"})
		}
	}
	return nil
}

func (r *run) header() ([]string, error) {
	h, err := r.lines.next()
	switch {
	case errors.Is(err, io.EOF):
		return nil, r.fatal(0, ErrNoHeader)
	case err != nil:
		return nil, r.fatal(h.line, err)
	}
	if fault := textFault(h.text); fault != "" {
		return nil, r.fatal(h.line, ErrEncoding)
	}
	cells, fault := splitCSV(h.text, r.comma)
	if fault != "" {
		return nil, r.fatal(h.line, ErrNoHeader)
	}
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	r.consume(h)
	return cells, nil
}

// consume counts a row as done.
func (r *run) consume(w row) {
	io.WriteString(r.hash, w.raw)
	r.offset += int64(len(w.raw))
}

// records reads rows, makes records of them and hands these on.
func (r *run) records(ctx context.Context) error {
	var open record                           // rows that the next row may belong to
	beside := r.report.Checkpoint.AfterBroken // the row before was broken
	size := 0
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		w, err := r.lines.next()
		if err != nil && !errors.Is(err, io.EOF) {
			return r.fatal(w.line, err)
		}
		if err == nil {
			if r.read(&w); w.fault == "" && len(open.rows) > 0 && r.sameGroup(open.rows[0], w) {
				if size += len(w.raw); size > r.cfg.MaxRecordBytes {
					return r.fatal(w.line, ErrTooLong)
				}
				open.rows = append(open.rows, w)
				continue
			}
		}
		if len(open.rows) > 0 && (w.fault == "" || len(r.groupBy) == 0) {
			if err := r.take(ctx, open); err != nil {
				return err
			}
			open = record{}
		}
		switch {
		case err != nil:
			return nil
		case w.fault == "":
			open, size = record{rows: []row{w}}, len(w.raw)
			if beside && len(r.groupBy) > 0 {
				open.reason = brokenBeside
			}
			beside = false
		default:
			// Of a broken row it is not known which record it belongs to: the one
			// before it, the one after it, or one of its own.
			beside = true
			if len(open.rows) > 0 {
				open.reason = brokenBeside
				if err := r.take(ctx, open); err != nil {
					return err
				}
				open = record{}
			}
			if err := r.take(ctx, record{rows: []row{w}, reason: w.fault}); err != nil {
				return err
			}
		}
	}
}

const brokenBeside = "the row before or after it is broken and may belong to it"

// read makes ready what can be read of a row.
func (r *run) read(w *row) {
	if r.spec != nil {
		w.fault = textFault(w.text)
		return
	}
	r.readCells(w, r.width)
}

// decode makes the events of sound rows. A reason says what of them was left out.
func (r *run) decode(rows []row) ([]profile.Event, string) {
	if r.spec != nil {
		events, reasons := r.spec.decode(rows[0].text, r.received)
		return events, strings.Join(reasons, "; ")
	}
	events, err := r.builder.events(rows)
	if err != nil {
		return nil, err.Error()
	}
	return events, ""
}

// take makes the events of a record and hands over a full batch.
func (r *run) take(ctx context.Context, rec record) error {
	r.report.Rows += len(rec.rows)
	if rec.reason == "" {
		events, reason := r.decode(rec.rows)
		if rec.reason = reason; reason == "" && len(events) == 0 {
			r.report.Skipped += len(rec.rows)
		}
		rec.events = len(events)
		r.events = append(r.events, events...)
	}
	r.pending = append(r.pending, rec)
	if len(r.events) < r.cfg.BatchSize && len(r.pending) < 4*r.cfg.BatchSize {
		return nil
	}
	return r.flush(ctx)
}

// flush hands the batch over, writes its rejects and takes a checkpoint.
func (r *run) flush(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var receipts []profile.Receipt
	if len(r.events) > 0 {
		var err error
		if receipts, err = r.sink.ObserveBatch(ctx, r.events); err != nil {
			return fmt.Errorf("intake: %s: %w", r.in.Name, err)
		}
		if len(receipts) != len(r.events) {
			return fmt.Errorf("%w: Sink returned %d receipts for %d events", ErrConfig, len(receipts), len(r.events))
		}
	}
	at := 0
	for _, rec := range r.pending {
		for i := at; i < at+rec.events; i++ {
			r.report.count(r.events[i], receipts[i], r.dry)
			if err := receipts[i].Err; err != nil && rec.reason == "" {
				rec.reason = fmt.Sprintf("event %d of %d: %v", i-at+1, rec.events, err)
			}
		}
		at += rec.events
		for _, w := range rec.rows {
			if rec.reason != "" {
				if err := r.reject(w, rec.reason); err != nil {
					return err
				}
			}
			r.consume(w)
			r.report.Checkpoint.Line = w.line + strings.Count(w.text, "\n")
			r.report.Checkpoint.AfterBroken = w.fault != ""
		}
	}
	clear(r.pending)
	r.pending, r.events = r.pending[:0], r.events[:0:0]
	if r.rejects != nil {
		r.rejects.Flush()
		if err := r.rejects.Error(); err != nil {
			return fmt.Errorf("intake: %s: rejects: %w", r.in.Name, err)
		}
	}
	r.checkpoint()
	if r.in.Save != nil {
		if err := r.in.Save(ctx, r.report.Checkpoint); err != nil {
			return fmt.Errorf("intake: %s: checkpoint: %w", r.in.Name, err)
		}
	}
	if most := r.cfg.MaxRejects; most > 0 && r.report.Rejected > most {
		return fmt.Errorf("%w: %s: %d", ErrTooManyRejects, r.in.Name, r.report.Rejected)
	}
	return nil
}

func (r *run) reject(w row, reason string) error {
	r.report.reject(Reject{Line: w.line, Reason: reason})
	if r.rejects == nil {
		return nil
	}
	if err := r.rejects.Write([]string{strconv.Itoa(w.line), reason, w.text}); err != nil {
		return fmt.Errorf("intake: %s: rejects: %w", r.in.Name, err)
	}
	return nil
}

// remembering is a sink that can be asked for an event by its ID.
type remembering interface {
	Sink
	Event(ctx context.Context, eventID string) (profile.Event, profile.ID, error)
}

// firstTime is a sink to which an event that comes again at another time is
// the same event: the time first accepted stands.
type firstTime struct{ remembering }

func (f firstTime) ObserveBatch(ctx context.Context, events []profile.Event) ([]profile.Receipt, error) {
	receipts, err := f.remembering.ObserveBatch(ctx, events)
	if err != nil || len(receipts) != len(events) {
		return receipts, err
	}
	var again []profile.Event
	var at []int
	for i, r := range receipts {
		if !errors.Is(r.Err, profile.ErrEventConflict) {
			continue
		}
		known, _, err := f.Event(ctx, events[i].ID)
		if err != nil || known.Time.Equal(events[i].Time) {
			continue
		}
		e := events[i]
		e.Time = known.Time
		again, at = append(again, e), append(at, i)
	}
	if len(again) == 0 {
		return receipts, nil
	}
	second, err := f.remembering.ObserveBatch(ctx, again)
	if err != nil || len(second) != len(again) {
		return nil, err
	}
	for n, i := range at {
		receipts[i] = second[n]
	}
	return receipts, nil
}

// countingWriter knows how much was written.
type countingWriter struct {
	to io.Writer
	n  int64
}

func (c *countingWriter) Write(b []byte) (int, error) {
	n, err := c.to.Write(b)
	c.n += int64(n)
	return n, err
}

// rehearsal is the sink of a dry run.
type rehearsal struct {
	seen map[[16]byte][8]byte // ID → content
}

func (d *rehearsal) ObserveBatch(_ context.Context, events []profile.Event) ([]profile.Receipt, error) {
	receipts := make([]profile.Receipt, len(events))
	for i, e := range events {
		receipts[i].Event = e.ID
		id := sha256.Sum256([]byte(e.ID))
		content, err := eventID(e, "")
		if err != nil {
			receipts[i].Err = err
			continue
		}
		sum := sha256.Sum256([]byte(content))
		key, now := [16]byte(id[:16]), [8]byte(sum[:8])
		switch before, ok := d.seen[key]; {
		case !ok:
			d.seen[key] = now
		case before == now:
			receipts[i].Duplicate = true
		default:
			receipts[i].Err = profile.ErrEventConflict
		}
	}
	return receipts, nil
}

// resume goes to where the checkpoint was taken, verifying what it passes.
func (r *run) resume() error {
	from := r.in.From
	r.report.Checkpoint = Checkpoint{Format: CheckpointFormat, Mapping: r.program.hash, Offset: r.offset, Line: r.lines.line}
	if from == (Checkpoint{}) {
		return nil
	}
	misfit := func(why string) error { return fmt.Errorf("%w: %s: %s", ErrCheckpoint, r.in.Name, why) }
	switch {
	case from.Format != CheckpointFormat:
		return misfit("it is of another format")
	case from.Mapping != r.program.hash:
		return misfit("it was taken under another mapping")
	case from.Offset < r.offset || from.Line < r.lines.line:
		return misfit("it lies before the first row")
	}
	left := from.Offset - r.offset
	last := byte('\n')
	buf := make([]byte, 64<<10)
	for left > 0 {
		n, err := r.lines.in.Read(buf[:min(left, int64(len(buf)))])
		if n > 0 {
			r.hash.Write(buf[:n])
			left, last = left-int64(n), buf[n-1]
		}
		if err != nil && left > 0 {
			if errors.Is(err, io.EOF) {
				return misfit("the input has become shorter")
			}
			return r.fatal(0, err)
		}
	}
	if hex.EncodeToString(r.hash.Sum(nil)) != from.Hash {
		return misfit("the input has changed before it")
	}
	if next, err := r.lines.in.Peek(1); err == nil && last != '\n' && !bytes.ContainsAny(next, "\r\n") {
		return misfit("the row that it ends with has become longer")
	}
	r.offset, r.lines.line = from.Offset, from.Line
	r.report.Counts, r.report.Checkpoint = from.Counts, from
	return nil
}

// checkpoint says where the run has come to.
func (r *run) checkpoint() {
	c := &r.report.Checkpoint
	c.Offset, c.Hash = r.offset, hex.EncodeToString(r.hash.Sum(nil))
	c.RejectBytes, c.Counts = r.written.n, r.report.Counts
}
