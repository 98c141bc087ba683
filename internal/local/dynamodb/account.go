package dynamodb

// describeEndpoints names no host of AWS but this one: a client with endpoint discovery goes on there.
func (s *Service) describeEndpoints(request) (object, error) {
	return object{"Endpoints": []object{{"Address": s.address, "CachePeriodInMinutes": 1440}}}, nil
}

// The quotas of a new account.
const (
	accountUnits = 80000
	tableUnits   = 40000
)

func (s *Service) describeLimits(request) (object, error) {
	return object{
		"AccountMaxReadCapacityUnits": accountUnits, "AccountMaxWriteCapacityUnits": accountUnits,
		"TableMaxReadCapacityUnits": tableUnits, "TableMaxWriteCapacityUnits": tableUnits,
	}, nil
}
