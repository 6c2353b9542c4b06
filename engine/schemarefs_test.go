package engine

import (
	"strings"
	"testing"

	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
)

func TestSchemasReferToNoFiles(t *testing.T) {
	tests := []struct{ name, schema, wants string }{
		{"a part of the schema", `{"$ref":"#/$defs/a","$defs":{"a":{}}}`, ""},
		{"a part that has a name", `{"$id":"https://x.example/root.json","$ref":"a.json#/b","$defs":{"a":{"$id":"a.json","b":{}}}}`, ""},
		{"the schema itself by its name", `{"$id":"https://x.example/root.json","$ref":"root.json"}`, ""},
		{"a draft of JSON Schema", `{"$schema":"https://json-schema.org/draft/2020-12/schema","properties":{"s":{"$ref":"http://json-schema.org/draft-07/schema#"}}}`, ""},
		{"a property of the name of a keyword", `{"properties":{"$ref":{"type":"string"}}}`, ""},
		{"no JSON", `{`, ""},
		{"a web address", `{"properties":{"a":{"$ref":"https://x.example/a.json#/b"}}}`, ""},
		{"a file of the machine", `{"allOf":[{"$ref":"file:///etc/passwd"}]}`, "refers to file:///etc/passwd"},
		{"a file by a relative path", `{"$ref":"../../etc/passwd"}`, "etc/passwd"},
		{"what is relative to the schema's name", `{"$id":"https://x.example/root.json","$ref":"a.json"}`, ""},
		{"a dynamic reference", `{"$dynamicRef":"file:///a.json"}`, "refers to file:///a.json"},
		{"a draft of its own", `{"$schema":"FILE:///draft"}`, "/draft"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sub := &chartv2.Chart{Metadata: &chartv2.Metadata{Name: "sub"}, Schema: []byte(tt.schema)}
			top := &chartv2.Chart{Metadata: &chartv2.Metadata{Name: "top"}}
			top.SetDependencies(sub)
			err := checkSchemas(top)
			if tt.wants == "" && err != nil || tt.wants != "" && (err == nil || !strings.Contains(err.Error(), tt.wants)) {
				t.Errorf("error %v, want one with %q", err, tt.wants)
			}
		})
	}
}
