/** KV caches: contiguous, paged; policies, codecs and tiers. */
package io.attention4j.kvcache;
