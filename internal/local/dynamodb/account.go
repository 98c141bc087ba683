package dynamodb

// describeEndpoints names no host of AWS, so that a client with endpoint discovery does not leave the machine unnoticed.
func (s *Service) describeEndpoints(request) (object, error) {
	return object{"Endpoints": []object{{"Address": "127.0.0.1", "CachePeriodInMinutes": 1440}}}, nil
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
