// Package profile answers who a customer is.
package profile
