package state

// Drifted names objects of a release that are not as they were deployed, and of
// each the fields, as an API server writes them in a conflict, such as
// .spec.containers[name="web"].image. An object that is gone has no fields.
type Drifted map[ObjectID][]string
