package intake

import (
	"cmp"
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/cxkit/cxkit/profile/commerce"
)

// The events of the Segment spec for e-commerce, version 2, that are facts about
// an order. All others (Product Viewed, Product Added, Cart Viewed, Checkout
// Started, …) come before an order and are events with properties; Order Updated
// is one too, because what an order is made of is corrected by a retraction.
const (
	orderCompleted = "Order Completed"
	orderRefunded  = "Order Refunded"
	orderCancelled = "Order Cancelled"
)

var (
	errMinor    = errors.New("is not an amount that can be counted")
	errGoods    = errors.New("is less than the shipping")
	errSpecType = errors.New("is of another type than the spec says")
)

// order reads the commerce fact of a track message; nil for none.
func (d *specDecoder) order(m message) (*commerce.Event, error) {
	if d.NoOrders || m.Type != "track" {
		return nil, nil
	}
	r := orderReader{p: m.Properties}
	o := &commerce.Event{Order: commerce.Key{Source: d.Source, Number: r.text("order_id")}, Currency: strings.ToUpper(r.text("currency"))}
	r.places = placesOf(o.Currency)
	switch m.Event {
	case orderCompleted:
		r.completed(o)
	case orderRefunded:
		r.refunded(o)
	case orderCancelled:
		o.Kind = commerce.Closed
	default:
		return nil, nil
	}
	if r.err == nil && o.Order.Number == "" {
		r.fail("order_id", errMissing)
	}
	if r.err != nil {
		return nil, r.err
	}
	return o, nil
}

// orderReader reads properties and keeps the first fault.
type orderReader struct {
	p      map[string]any
	places int
	err    error
}

func (r *orderReader) fail(name string, err error) {
	if r.err == nil {
		r.err = &rowError{"field properties." + name, err}
	}
}

func (r *orderReader) text(name string) string {
	s, ok := scalar(r.p[name])
	if !ok {
		r.fail(name, errSpecType)
	}
	return strings.TrimSpace(s)
}

func (r *orderReader) has(name string) bool { return r.p[name] != nil }

func (r *orderReader) amount(name string) int64 { return r.minor(name, r.p[name]) }

// minor is an amount in minor units, rounded half up: pages compute amounts in
// floating point and report 29.990000000000002.
func (r *orderReader) minor(name string, x any) int64 {
	s, ok := scalar(x)
	if s = strings.TrimSpace(s); ok && s == "" {
		return 0
	}
	n, good := roundMinor(s, r.places)
	if !ok || !good {
		r.fail(name, errMinor)
	}
	return n
}

// product is one of properties.products.
type product struct {
	commerce.Line
	worth int64 // its price times its quantity
}

func (r *orderReader) products() []product {
	list, ok := r.p["products"].([]any)
	if !ok {
		if r.has("products") {
			r.fail("products", errArray)
		}
		return nil
	}
	out := make([]product, 0, len(list))
	for _, x := range list {
		object, ok := x.(map[string]any)
		if !ok {
			r.fail("products", errArray)
			return nil
		}
		in := orderReader{p: object, places: r.places}
		p := product{Line: commerce.Line{
			SKU: cmp.Or(in.text("sku"), in.text("product_id"), in.text("name")), Category: in.text("category"), Quantity: 1,
		}}
		if in.has("quantity") {
			n, err := numerals{point: "."}.integer(in.text("quantity"))
			if err != nil || n < 1 {
				in.fail("quantity", errMinor)
			}
			p.Quantity = n
		}
		price := in.amount("price")
		switch {
		case in.err != nil:
		case price < 0 || price > 0 && p.Quantity > math.MaxInt64/price:
			in.fail("price", errMinor)
		default:
			p.worth = price * p.Quantity
		}
		if in.err != nil {
			r.fail("products", errMinor)
			return nil
		}
		out = append(out, p)
	}
	return out
}

// sum adds amounts of at least 0.
func (r *orderReader) sum(name string, amounts ...int64) int64 {
	var sum int64
	for _, n := range amounts {
		if n < 0 || sum > math.MaxInt64-n {
			r.fail(name, errMinor)
			return 0
		}
		sum += n
	}
	return sum
}

// completed is an order that was placed and paid: what the customer owes for the
// goods is total less shipping; else subtotal, or the products less discount, or
// revenue, each with the tax. It is divided over the products by their price.
func (r *orderReader) completed(o *commerce.Event) {
	o.Kind, o.Ref = commerce.Paid, r.text("order_id") // a page that is loaded again reports the same order
	products := r.products()
	weights := make([]int64, len(products))
	for i, p := range products {
		weights[i] = p.worth
	}
	listed := r.sum("products", weights...)
	o.Freight = r.amount("shipping")
	tax := r.amount("tax")
	var goods int64
	switch {
	case r.has("total"):
		if goods = r.amount("total") - o.Freight; goods < 0 {
			r.fail("total", errGoods)
		}
	case r.has("subtotal"):
		goods = r.sum("subtotal", r.amount("subtotal"), tax)
	case len(products) > 0:
		goods = r.sum("products", max(0, listed-r.sum("discount", r.amount("discount"))), tax)
	default:
		goods = r.sum("revenue", r.amount("revenue"), tax)
	}
	paid := r.sum("total", goods, o.Freight)
	if r.err != nil {
		return
	}
	nets, err := commerce.Split(goods, weights)
	if err != nil && len(products) > 0 {
		r.fail("products", errMinor)
		return
	}
	funder := "merchant"
	if r.text("coupon") != "" {
		funder = "voucher"
	}
	for i, p := range products {
		l := p.Line
		l.ID, l.Net, l.List = strconv.Itoa(i+1), nets[i], max(p.worth, nets[i])
		if off := l.List - l.Net; off > 0 {
			l.Discounts = []commerce.Discount{{Funder: funder, Amount: off}}
		}
		o.Lines = append(o.Lines, l)
	}
	if paid > 0 {
		o.Payments = []commerce.Payment{{Tender: cmp.Or(r.text("payment_method"), "unspecified"), Amount: paid}}
	}
}

// refunded is money that goes back: total, else what the products named cost.
// Without products it is for the whole order.
func (r *orderReader) refunded(o *commerce.Event) {
	o.Kind, o.Ref = commerce.Refunded, r.text("refund_id")
	products := r.products()
	worth := make([]int64, len(products))
	for i, p := range products {
		worth[i] = p.worth
	}
	priced := r.sum("products", worth...)
	switch {
	case r.has("total"):
		o.Amount = r.amount("total")
	case priced > 0:
		o.Amount = priced
	case r.has("revenue"):
		o.Amount = r.amount("revenue")
	}
	if o.Amount == 0 {
		r.fail("total", errMissing)
	}
	seen := map[string]int{} // SKU → index in o.Lines
	for _, p := range products {
		if p.SKU == "" {
			r.fail("products", errMissing)
			return
		}
		if i, ok := seen[p.SKU]; ok {
			o.Lines[i].Quantity = r.sum("products", o.Lines[i].Quantity, p.Quantity)
			continue
		}
		seen[p.SKU] = len(o.Lines)
		o.Lines = append(o.Lines, p.Line)
	}
}

// placesOf are the digits of the minor unit of a currency by ISO 4217.
func placesOf(currency string) int {
	switch currency {
	case "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF":
		return 0
	case "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND":
		return 3
	}
	return 2
}

// roundMinor reads an amount digit by digit into minor units of so many places,
// half up, away from 0.
func roundMinor(s string, places int) (int64, bool) {
	mantissa, exponent, scientific := strings.Cut(strings.ToLower(s), "e")
	shift := 0
	if scientific {
		var err error
		if shift, err = strconv.Atoi(exponent); err != nil || shift > 40 || shift < -40 {
			return 0, false
		}
	}
	negative := strings.HasPrefix(mantissa, "-")
	mantissa = strings.TrimPrefix(strings.TrimPrefix(mantissa, "-"), "+")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits, point := whole+fraction, len(whole)+shift+places
	if digits == "" || len(digits) > 80 {
		return 0, false
	}
	var n int64
	for i := range max(point, len(digits)) {
		c := byte('0')
		if i < len(digits) {
			c = digits[i]
		}
		switch {
		case c < '0' || c > '9':
			return 0, false
		case i >= point:
		case n > (math.MaxInt64-int64(c-'0'))/10:
			return 0, false
		default:
			n = n*10 + int64(c-'0')
		}
	}
	if point >= 0 && point < len(digits) && digits[point] >= '5' {
		if n == math.MaxInt64 {
			return 0, false
		}
		n++
	}
	if negative {
		n = -n
	}
	return n, true
}
