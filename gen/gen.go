// Package gen holds what is generated from proto/: the Go types and stubs in
// attune/v1, and the OpenAPI description of the REST routes.
package gen

import _ "embed"

// OpenAPI is the OpenAPI 2.0 description of every REST route, as JSON.
//
//go:embed openapi.json
var OpenAPI []byte
