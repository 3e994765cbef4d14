/** Swagger UI at /docs. Fields of a form start empty: a form with a photo alone can be sent as it is. */

const nothing = (schema) => (schema.toJS?.() ?? schema).type === "array" ? [] : "";

const startsEmpty = {
  afterLoad() {
    const sample = this.fn.getSampleSchema;
    // Fields of a form are asked for with `false` in place of a media type.
    this.fn.getSampleSchema = (schema, mediaType, ...rest) =>
      mediaType === false ? nothing(schema) : sample(schema, mediaType, ...rest);
  },
};

window.SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  showCommonExtensions: true,
  presets: [window.SwaggerUIBundle.presets.apis],
  plugins: [startsEmpty],
});
