// Package program is what stands above the ledger: rules that turn orders into
// awards, and tiers.
//
// The model:
//
//   - A [Definition] is configuration, written in Go or JSON: earn rules, the return
//     window, the tier ladder. It is immutable and has a version that every award carries.
//   - [Program.Apply] brings the ledger in line with an order as it is known now: it
//     awards what was bought, lets it vest once the goods were received and the return
//     window is over, and takes back what was refunded, line by line. It may be
//     called any number of times, with facts in any order: every step has a key of its own.
//   - Points are earned on what was paid by the customer: vouchers and points used as
//     tender are left out, and so is what was refunded.
//   - A tier is reached the moment the qualifying sum of the window reaches its
//     threshold, and is lost at a review only.
package program
