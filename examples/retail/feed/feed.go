// Package feed is what all inputs of the retail example look like to its
// loop: deliveries of profile events in the order in which they arrived. The
// seeded generator and the readers of real files each yield one.
package feed

import (
	"iter"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// Delivery is one event at the moment at which the shop's backend received it.
type Delivery struct {
	At    time.Time
	Event profile.Event
}

// Feed yields deliveries in order of At, or an error that names the file, line
// and reason; the reader decides whether what follows an error can be trusted.
type Feed = iter.Seq2[Delivery, error]

// The names of the events that the loop acts on. Their properties stand beside them.
const (
	ProductViewed   = "product.viewed"   // sku, category
	CartUpdated     = "cart.updated"     // cart_id, sku
	MemberJoined    = "member.joined"    // card: the membership number; the identifier member/<brand> is there too
	OrderPlaced     = "order.placed"     // order_id, cart_id, channel; Event.Order
	OrderPaid       = "order.paid"       // order_id, cart_id, channel; Event.Order
	PaymentPending  = "payment.pending"  // order_id, amount: tenders were chosen and never confirmed
	OrderShipped    = "order.shipped"    // order_id; Event.Order
	OrderReceived   = "order.received"   // order_id, promised_by where there was a promise; Event.Order
	OrderCompleted  = "order.completed"  // order_id; Event.Order
	OrderClosed     = "order.closed"     // order_id; Event.Order
	OrderReturned   = "order.returned"   // order_id; Event.Order
	OrderRefunded   = "order.refunded"   // order_id; Event.Order
	ReviewPosted    = "review.posted"    // review_id, order_id, stars, title, text, invited_at; one event per review and order
	SurveyAnswered  = "survey.answered"  // survey, invitation, score, text
	ComplaintFiled  = "complaint.filed"  // case_id, order_id, topic
	ComplaintClosed = "complaint.closed" // case_id
	RepairRequested = "repair.requested" // case_id, sku, outlet
	RepairReturned  = "repair.returned"  // case_id
)

// Further names, which the loop acts on where it cares to.
const (
	CustomerIdentified = "customer.identified" // a sign-in: a device or cookie beside who signs in
	ProfileUpdated     = "profile.updated"     // Event.Traits, or a new identifier
	ConsentChanged     = "consent.changed"     // Event.Consents
	MessageGranted     = "message.granted"     // channel, template: one message may be sent, once
	AssistantAdded     = "assistant.added"     // assistant, outlet
	AssistantChatted   = "assistant.chatted"   // assistant
	CallReceived       = "call.received"       // reason
	PointsRedeemed     = "points.redeemed"     // card, redemption_id, points
	OrderExchanged     = "order.exchanged"     // order_id; Event.Order
	PhoneReassigned    = "phone.reassigned"    // phone, as_of; about nobody: it has no identifiers
)
