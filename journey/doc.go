// Package journey decides what should happen to a customer next, and makes it
// happen exactly once.
package journey
