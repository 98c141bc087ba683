package sqs

import (
	"maps"
	"slices"
)

// Operations are the names of the API's operations that the stand-in has, in their order.
func (s *Service) Operations() []string { return slices.Sorted(maps.Keys(s.routes())) }
