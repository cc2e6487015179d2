/**
 * Language models in process: load a file, open sessions, generate.
 *
 * <pre>{@code
 * try (LanguageModel model = LanguageModel.load(Path.of("model.gguf"));
 *     Session session = model.newSession()) {
 *   GenerationRequest request = GenerationRequest.of("Once upon a time");
 *   session.generate(request).stream().map(Piece::text).forEach(System.out::print);
 * }
 * }</pre>
 */
package io.attention4j.llm;
