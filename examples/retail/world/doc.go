// Package world generates a year of a retail group that does not exist, and
// keeps the truth about it: who each event is from, what each order came to,
// what each membership has earned, who belongs to which audience and what a
// customer would answer if asked. A program that reads only [World.Feed] can
// afterwards be scored against [World.Truth].
//
// The model:
//
//   - A group with two brands, lumen (clothes and shoes) and hearth (kitchen
//     appliances), sells through a mini program per brand, an app, a web shop,
//     two marketplaces (tmall, jd) and eight outlets with tills, tablets and
//     shop assistants; it has a call center.
//   - A [Person] is a human being. They have phones (for a time), a WeChat
//     account, devices, browsers that forget their cookie, and at most one
//     membership card per brand. Visitors browse and never say who they are.
//   - Traps are people and things that look alike: tablets in shops, a phone
//     or a card that a family shares, numbers that the operator gives to
//     somebody else, marketplace buyers behind masks, a cashier who books
//     guests' receipts on a card of their own, identifiers typed badly.
//   - The feed is in order of arrival. Of the deliveries 2.5 % are late by
//     hours to days, 0.2 % by up to two weeks, 1.5 % come again; enrollments of
//     the sales day come two days later and all at once.
//   - The names of the events and what the loop needs of their properties stand
//     in package feed. Where they apply there are also card (the membership that
//     an order is booked on), outlet, cashier, gift, courier, reason (of a refund
//     or a call), via (how somebody joined), price (in a cart), loaner and text
//     (of a review or complaint). member.joined carries traits and consents.
//   - All amounts are fen of CNY. For each line List − discounts = Net, for
//     each order the sum of Net + Freight = the sum of Payments, and refunds
//     never exceed payments.
//
// Everything follows from [Config.Seed]. After [New] only [World.React] changes
// a World; without it a World is safe for concurrent use.
package world
