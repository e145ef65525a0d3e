package argo

import (
	"container/list"
	"fmt"
	"reflect"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"
)

const (
	// maxCachedText bounds the cache by the total length of the sources: a program takes up to about 140 bytes of memory
	// per byte of its source. A regular expression can take more, but the host discards an instance whose memory has grown.
	maxCachedText = 64 << 10
	// entryOverhead is the cost of an entry besides its source.
	entryOverhead = 128
)

// cacheKey identifies a compiled condition. The checker depends on the type of the result, of which encoding/json has only
// six; nested values are untyped.
type cacheKey struct {
	source string
	result reflect.Type
}

type cacheEntry struct {
	key      cacheKey
	compiled *vm.Program
	err      error
}

func (p *cacheEntry) cost() int { return len(p.key.source) + entryOverhead }

// programCache is an LRU cache of compiled conditions and of their compiler errors.
type programCache struct {
	byKey map[cacheKey]*list.Element
	order *list.List
	text  int
	// hits and misses since the start.
	hits, misses uint64
}

func newProgramCache() programCache {
	return programCache{byKey: map[cacheKey]*list.Element{}, order: list.New()}
}

func (c *programCache) get(source string, env map[string]any) (*vm.Program, error) {
	k := cacheKey{source, reflect.TypeOf(env["result"])}
	if element, ok := c.byKey[k]; ok {
		c.hits++
		c.order.MoveToFront(element)
		p := element.Value.(*cacheEntry)
		return p.compiled, p.err
	}
	c.misses++
	compiled, err := compile(source, expr.Env(env))
	p := &cacheEntry{k, compiled, err}
	c.byKey[k] = c.order.PushFront(p)
	c.text += p.cost()
	for c.text > maxCachedText && c.order.Len() > 1 {
		oldest := c.order.Remove(c.order.Back()).(*cacheEntry)
		delete(c.byKey, oldest.key)
		c.text -= oldest.cost()
	}
	return compiled, err
}

// compile compiles a condition and returns a panic of the compiler as an error. The controller would crash in this case,
// so there is no behaviour to reproduce.
func compile(source string, options ...expr.Option) (p *vm.Program, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("condition cannot be compiled: %v", r)
		}
	}()
	return expr.Compile(source, options...)
}

// CacheStats returns the numbers of cache hits and misses.
func (e *Evaluator) CacheStats() (hits, misses uint64) { return e.programs.hits, e.programs.misses }
