// Package journal keeps a record of every run in the clusters that it writes to:
// one Secret a run and cluster, written before and after every step, so that
// what a run did outlives the process that did it.
package journal

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typed "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/cluster"
)

// NamePrefix is what the names of the Secrets that hold records begin with.
const NamePrefix = "flotilla-run-"

// SecretType is the type of the Secrets that hold records.
const SecretType corev1.SecretType = "flotilla.sh/run.v1"

// The labels of records. An owner that is no value of a label is there as a
// digest; the record itself has it as it is.
const (
	labelOwner  = state.OwnerLabel
	labelRun    = "flotilla.sh/run"
	labelStatus = "flotilla.sh/status"
	labelPart   = "flotilla.sh/part" // of the Secrets that hold a part of a large record
)

// sequenceOf is the annotation with the Sequence of the stored record.
const sequenceOf = "flotilla.sh/sequence"

const (
	keyRecord = "record" // the record, compressed
	keyParts  = "parts"  // in its place where the record is in parts: how many
	keyDigest = "digest" // of the compressed record

	// maxPart keeps a Secret below the 1 MiB that the API server takes.
	maxPart = 900 << 10
	// maxRecord bounds a record when it is read.
	maxRecord = 256 << 20
)

// ErrDamaged: a record is not what was written.
var ErrDamaged = errors.New("the record is damaged")

// Damaged is a record that cannot be read. It is ErrDamaged.
type Damaged struct {
	Run                        string // by its label
	Owner                      string // by its label: state.OwnerValue of it
	Context, Namespace, Secret string // where it is
	Err                        error  // what is wrong with it
}

// Error names the record.
func (d *Damaged) Error() string {
	return fmt.Sprintf("reading the record %s in namespace %s of context %s: %v", d.Secret, d.Namespace, d.Context, d.Err)
}

// Unwrap gives what is wrong.
func (d *Damaged) Unwrap() error { return d.Err }

// Store is where the records of one cluster are.
type Store struct {
	cluster   *cluster.Cluster
	namespace string
	limit     int // bytes of one Secret
}

// NewStore gives the records in a namespace of a cluster. It asks nothing.
func NewStore(c *cluster.Cluster, namespace string) *Store {
	return &Store{cluster: c, namespace: namespace, limit: maxPart}
}

func (s *Store) secrets() typed.SecretInterface {
	return s.cluster.Kubernetes().CoreV1().Secrets(s.namespace)
}

func (s *Store) explain(err error, verb string) error {
	return s.cluster.Explain(err, cluster.Access{Verb: verb, Resource: "secrets", Namespace: s.namespace})
}

// encode compresses a record.
func encode(r *Run) ([]byte, error) {
	var out bytes.Buffer
	zip, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err == nil {
		err = json.NewEncoder(zip).Encode(r)
	}
	if err != nil {
		return nil, fmt.Errorf("encoding the record of run %s: %w", r.ID, err)
	}
	if err := zip.Close(); err != nil {
		return nil, fmt.Errorf("encoding the record of run %s: %w", r.ID, err)
	}
	return out.Bytes(), nil
}

func decode(data []byte) (*Run, error) {
	zip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	text, err := io.ReadAll(io.LimitReader(zip, maxRecord+1))
	if err == nil && len(text) > maxRecord {
		err = fmt.Errorf("it has more than %d MiB", maxRecord>>20)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	var r Run
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return &r, nil
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// entry is one record in a cluster, as its writer knows it.
type entry struct {
	store   *Store
	name    string
	version string   // resourceVersion of what was written last; empty: nothing was
	parts   []string // names of the Secrets with its parts
}

func (e *entry) secret(r *Run) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name: e.name, Namespace: e.store.namespace, ResourceVersion: e.version,
			Labels: map[string]string{
				"app.kubernetes.io/managed-by": "flotilla",
				labelOwner:                     state.OwnerValue(r.Owner),
				labelRun:                       r.ID,
				labelStatus:                    strings.ReplaceAll(string(r.Outcome), " ", "-"),
			},
			Annotations: map[string]string{sequenceOf: strconv.Itoa(r.Sequence)},
		},
		Type: SecretType,
		Data: map[string][]byte{},
	}
}

// write stores a record once: with one request, more only where it is large. The
// record's Sequence has to be another one each time.
func (e *entry) write(ctx context.Context, r *Run) error {
	data, err := encode(r)
	if err != nil {
		return err
	}
	secret := e.secret(r)
	var parts []string
	if len(data) <= e.store.limit {
		secret.Data[keyRecord] = data
	} else if parts, err = e.writeParts(ctx, secret, data, r.Sequence); err != nil {
		e.parts = append(e.parts, parts...) // they go when a write succeeds
		return err
	}
	stored, err := e.put(ctx, secret)
	if err != nil {
		e.parts = append(e.parts, parts...)
		return err
	}
	for _, name := range e.parts {
		_ = e.store.secrets().Delete(ctx, name, metav1.DeleteOptions{}) // nothing points to it; Prune finds what stays
	}
	e.version, e.parts = stored.ResourceVersion, parts
	return nil
}

func (e *entry) put(ctx context.Context, secret *corev1.Secret) (*corev1.Secret, error) {
	if e.version == "" {
		stored, err := e.store.secrets().Create(ctx, secret, metav1.CreateOptions{})
		return stored, e.store.explain(err, "create")
	}
	stored, err := e.store.secrets().Update(ctx, secret, metav1.UpdateOptions{})
	return stored, e.store.explain(err, "update")
}

// writeParts stores a large record beside the one that counts until the index,
// which is written last, names the new parts. It gives what it has created also
// when it fails.
func (e *entry) writeParts(ctx context.Context, index *corev1.Secret, data []byte, sequence int) ([]string, error) {
	index.Data[keyDigest] = []byte(digestOf(data))
	var parts []string
	for i := 0; len(data) > 0; i++ {
		n := min(len(data), e.store.limit)
		part := index.DeepCopy()
		part.Name, part.ResourceVersion = partName(e.name, sequence, i), ""
		delete(part.Labels, labelStatus)
		part.Labels[labelPart] = strconv.Itoa(i)
		part.Data = map[string][]byte{keyRecord: data[:n]}
		if _, err := e.store.secrets().Create(ctx, part, metav1.CreateOptions{}); err != nil {
			return parts, e.store.explain(err, "create")
		}
		parts = append(parts, part.Name)
		data = data[n:]
	}
	index.Data[keyParts] = fmt.Appendf(nil, "%d", len(parts))
	return parts, nil
}

func partName(record string, sequence, i int) string {
	return fmt.Sprintf("%s.%d.%d", record, sequence, i)
}
