/** An OpenID provider with two people, as panva's certified `oidc-provider`: node provider.js REDIRECT_URI */
import { once } from "node:events";
import { createServer } from "node:http";

import { Provider } from "oidc-provider";

const GROUPS = { ada: ["door", "arcid-admins"], bob: ["door"], eve: ["visitors"] };
const port = createServer().listen(0, "127.0.0.1");
await once(port, "listening");
const issuer = `http://127.0.0.1:${port.address().port}`;

const provider = new Provider(issuer, {
  clients: [
    { client_id: "arcid", client_secret: "a secret / with : signs", redirect_uris: [process.argv[2]] },
    { client_id: "public", token_endpoint_auth_method: "none", redirect_uris: [process.argv[2]] },
  ],
  claims: { openid: ["sub"], profile: ["name", "preferred_username"], groups: ["groups"] },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: `Name of ${id}`, preferred_username: id, groups: GROUPS[id] ?? [] }),
  }),
  cookies: { keys: ["a key of tests"] },
  ttl: { AccessToken: 60, AuthorizationCode: 60, Grant: 600, IdToken: 60, Interaction: 600, Session: 600 },
});
port.on("request", provider.callback());
console.log(issuer);
