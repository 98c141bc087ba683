// Package lambda runs one flow of an app for AWS Lambda: it takes an event as
// Lambda hands it over, makes messages of it for the source that it is for,
// runs them and gives the reply by which Lambda settles them.
package lambda
