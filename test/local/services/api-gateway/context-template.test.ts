import { describe, expect, test } from '@jest/globals';
import { compileTemplate, type TemplateContext } from '../../../../local/services/api-gateway/context-template.ts';

/** A request with a method and a model in its path; templates read nothing else here. */
function request(httpMethod: string, model?: string): TemplateContext {
  return { exchange: { httpMethod, pathParameters: model === undefined ? undefined : { model } } } as TemplateContext;
}

const CHOICE =
  '<#if($context.httpMethod == "GET")get#elseif($context.httpMethod == "PUT")put $context.httpMethod#{else}no#end>';

describe('templates of API Gateway in local mode', () => {
  test.each([
    ['GET', '<get>'],
    ['PUT', '<put PUT>'],
    ['HEAD', '<no>'],
  ])('choose a branch by the method %s', (method, text) => {
    expect(compileTemplate(CHOICE, 'here')(request(method))).toBe(text);
  });

  test('choose a branch by a parameter of the path, and render nothing if no branch holds', () => {
    const render = compileTemplate('[#if($input.params("model") == "minilm"){"id":1}#end]', 'here');
    expect(render(request('GET', 'minilm'))).toBe('[{"id":1}]');
    expect(render(request('GET', 'other'))).toBe('[]');
    expect(render(request('GET'))).toBe('[]');
  });

  test('may hold several choices', () => {
    const render = compileTemplate(`${CHOICE}${CHOICE}`, 'here');
    expect(render(request('GET'))).toBe('<get><get>');
  });

  test.each([
    '#if($context.httpMethod == "GET")x',
    'x#end',
    'x#{else}y#end',
    '#if($context.httpMethod == "GET")#if($context.httpMethod == "GET")x#end#end',
    '#if($context.nothing == "GET")x#end',
    '#if($input.body == "x")x#end',
    '#set($x = 1)',
  ])('%s fails with TEMPLATE_INVALID', (source) => {
    expect(() => compileTemplate(source, 'here')).toThrow(expect.objectContaining({ code: 'TEMPLATE_INVALID' }));
  });
});
