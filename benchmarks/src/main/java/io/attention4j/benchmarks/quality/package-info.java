/** What KV-cache policies and codecs cost in quality, against what they save. */
package io.attention4j.benchmarks.quality;
