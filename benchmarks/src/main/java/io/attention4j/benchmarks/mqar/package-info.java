/** Multi-query associative recall: the task of Zoology, solved by hand-built weights. */
package io.attention4j.benchmarks.mqar;
