package dynamodb

import "testing"

func TestUpdatesOfIndexKeysAreCheckedBeforeTheItemIsRead(t *testing.T) {
	s := newServer(t)
	s.create()
	s.ok("PutItem", `{"TableName":"things","Item":{`+first+`,"n":{"N":"7"}}}`)
	const mismatch = "One or more parameter values were invalid: Type mismatch for Index Key "
	update := func(expression, values string) string {
		return `{"TableName":"things","Key":{` + first + `},"UpdateExpression":"` + expression + `","ExpressionAttributeValues":{` + values + `}}`
	}
	for _, r := range []refusal{
		{"UpdateItem", update("SET n = :n ADD a :n", `":n":{"N":"1"}`), validation, mismatch + "a Expected: S Actual: N IndexName: local"},
		{"UpdateItem", update("SET a = n - :n", `":n":{"N":"1"}`), validation, mismatch + "a Expected: S Actual: N IndexName: local"},
		{"UpdateItem", update("SET g = list_append(n, :l)", `":l":{"L":[]}`), validation, mismatch + "g Expected: B Actual: L IndexName: global"},
		{"UpdateItem", update("DELETE g :s", `":s":{"SS":["x"]}`), validation, mismatch + "g Expected: B Actual: SS IndexName: global"},
		{"UpdateItem", update("SET g.x = :n, a = :n", `":n":{"N":"1"}`), validation, mismatch + "a Expected: S Actual: N IndexName: local"},
		{"UpdateItem", update("SET g.x = :n, n = a[1]", `":n":{"N":"1"}`), validation,
			"Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: IndexKey: g"},
		{"UpdateItem", update("SET a = n, x = :n", `":n":{"N":"1"}`), validation, "The update expression attempted to update the secondary index key to unsupported type"},
		{"UpdateItem", update("SET a = if_not_exists(n, :n)", `":n":{"N":"1"}`), validation, "The update expression attempted to update the secondary index key to unsupported type"},
	} {
		s.refuses(r)
	}
	same(t, s.ok("GetItem", `{"TableName":"things","Key":{`+first+`}}`), `{"Item":{`+first+`,"n":{"N":"7"}}}`)
}
