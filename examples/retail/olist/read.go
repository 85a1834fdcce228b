package olist

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cxkit/cxkit/examples/retail/input"
)

// The files and their columns, all of them required and no others known. The
// misspelt "lenght" is the publisher's.
const (
	customersFile = "customers.csv"
	ordersFile    = "orders.csv"
	itemsFile     = "order_items.csv"
	paymentsFile  = "order_payments.csv"
	reviewsFile   = "order_reviews.csv"
	productsFile  = "products.csv"
)

var (
	customerColumns = []string{"customer_id", "customer_unique_id", "customer_zip_code_prefix", "customer_city", "customer_state"}
	orderColumns    = []string{
		"order_id", "customer_id", "order_status", "order_purchase_timestamp", "order_approved_at",
		"order_delivered_carrier_date", "order_delivered_customer_date", "order_estimated_delivery_date",
	}
	itemColumns    = []string{"order_id", "order_item_id", "product_id", "seller_id", "shipping_limit_date", "price", "freight_value"}
	paymentColumns = []string{"order_id", "payment_sequential", "payment_type", "payment_installments", "payment_value"}
	reviewColumns  = []string{
		"review_id", "order_id", "review_score", "review_comment_title", "review_comment_message",
		"review_creation_date", "review_answer_timestamp",
	}
	productColumns = []string{
		"product_id", "product_category_name", "product_name_lenght", "product_description_lenght", "product_photos_qty",
		"product_weight_g", "product_length_cm", "product_height_cm", "product_width_cm",
	}
)

// row is one record, its cells in the order of the columns asked for.
type row struct {
	line  int
	cells []string
}

// broken is a record that could not be read: where, why, and its text, in
// which the keys that it concerns are looked up.
type broken struct {
	line   int
	reason string
	raw    string
}

// table is one file as text: sound records and broken ones.
type table struct {
	file   string
	rows   []row
	broken []broken
}

// readTable reads a file whose header must hold exactly the given columns, in
// any order. Free text may span lines only where multiline says so.
func readTable(dir, file string, columns []string, multiline bool) (*table, error) {
	content, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		var path *os.PathError
		reason := err.Error()
		if errors.As(err, &path) {
			reason = path.Err.Error()
		}
		return nil, &input.FormatError{Place: input.Place{File: filepath.Join(dir, file)}, Reason: reason, Err: err}
	}
	return parseTable(file, content, columns, multiline)
}

func parseTable(file string, content []byte, columns []string, multiline bool) (*table, error) {
	r := csv.NewReader(bytes.NewReader(content))
	header, err := r.Read()
	if err == io.EOF {
		return nil, &input.FormatError{Place: input.Place{File: file}, Reason: "the file is empty"}
	}
	if err != nil {
		return nil, &input.FormatError{Place: input.Place{File: file, Line: 1}, Reason: "the header cannot be read: " + reason(err), Err: err}
	}
	header[0] = strings.TrimPrefix(header[0], "\ufeff")
	at, err := mapColumns(file, header, columns)
	if err != nil {
		return nil, err
	}
	t := &table{file: file}
	r.FieldsPerRecord = len(columns)
	lines := bytes.SplitAfter(content, []byte("\n"))
	for {
		record, err := r.Read()
		if err == io.EOF {
			return t, nil
		}
		var parse *csv.ParseError
		if errors.As(err, &parse) {
			raw := string(bytes.Join(lines[parse.StartLine-1:min(max(parse.Line, parse.StartLine), len(lines))], nil))
			if errors.Is(err, csv.ErrQuote) && r.InputOffset() >= int64(len(content)) && strings.Count(raw, `"`)%2 == 1 {
				return nil, &input.FormatError{Place: input.Place{File: file, Line: parse.StartLine}, Reason: "a quoted field begins here and never ends", Err: err}
			}
			why := reason(err)
			if errors.Is(err, csv.ErrFieldCount) {
				why = fmt.Sprintf("%d fields instead of %d", len(record), len(columns))
			}
			t.broken = append(t.broken, broken{parse.StartLine, why, raw})
			continue
		}
		if err != nil {
			return nil, &input.FormatError{Place: input.Place{File: file}, Reason: reason(err), Err: err}
		}
		line, _ := r.FieldPos(0)
		cells := make([]string, len(columns))
		for i, from := range at {
			cells[i] = record[from]
		}
		if why := textFault(cells, multiline); why != "" {
			t.broken = append(t.broken, broken{line, why, strings.Join(record, ",")})
			continue
		}
		t.rows = append(t.rows, row{line, cells})
	}
}

func mapColumns(file string, header, columns []string) ([]int, error) {
	fault := func(format string, args ...any) error {
		return &input.FormatError{Place: input.Place{File: file, Line: 1}, Reason: fmt.Sprintf(format, args...)}
	}
	for i, name := range header {
		if !slices.Contains(columns, name) {
			return nil, fault("unknown column %q", name)
		}
		if slices.Index(header, name) != i {
			return nil, fault("column %q stands twice", name)
		}
	}
	at := make([]int, len(columns))
	for i, name := range columns {
		if at[i] = slices.Index(header, name); at[i] < 0 {
			return nil, fault("column %q is missing", name)
		}
	}
	return at, nil
}

func textFault(cells []string, multiline bool) string {
	for _, c := range cells {
		switch {
		case !utf8.ValidString(c):
			return "text that is not UTF-8"
		case strings.IndexByte(c, 0) >= 0:
			return "text with a NUL byte"
		case !multiline && strings.ContainsAny(c, "\r\n"):
			return "a line break inside a field"
		}
	}
	return ""
}

// reason is the cause of a CSV error without the reader's own line count.
func reason(err error) string {
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		return strings.TrimPrefix(parse.Err.Error(), "csv: ")
	}
	return err.Error()
}

var keyPattern = regexp.MustCompile(`\b[0-9a-f]{32}\b`)

// isKey reports whether s has the form of every key in the files: 32 hexadecimal digits.
func isKey(s string) bool {
	if len(s) != 32 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
